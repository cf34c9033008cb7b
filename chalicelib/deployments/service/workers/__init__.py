"""What the workers of queues do."""
