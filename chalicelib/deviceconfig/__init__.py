"""Device configuration: what operators want a device to be set to, and what it reports."""
