"""What the schedule does."""
