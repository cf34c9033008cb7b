"""Device configuration: what operators set, and what devices report."""
