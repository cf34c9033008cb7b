"""Event functions: queue workers, the schedule and websockets, each a Lambda function of its own."""
