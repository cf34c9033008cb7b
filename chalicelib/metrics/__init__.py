"""A tenant's numbers, for a dashboard or for Prometheus. Stores nothing, because each feature counts its own."""
