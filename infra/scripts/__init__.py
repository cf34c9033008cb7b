"""Programs of the build: packaging, generated pages, checks. Nothing here ships or serves."""
