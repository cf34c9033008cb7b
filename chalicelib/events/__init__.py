"""The other ways in: queue workers and schedules, each function its own Lambda."""
