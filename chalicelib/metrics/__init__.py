"""A tenant's numbers at a glance, for a dashboard or for Prometheus. Stores nothing: each feature counts its own."""
