"""Device authentication: who may call as a device, and the keys by which each device proves that it is itself."""
