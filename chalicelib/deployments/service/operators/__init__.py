"""What operators do: creating, listing and aborting deployments."""
