"""Device authentication: devices, their keys, and the tokens that they call with."""
