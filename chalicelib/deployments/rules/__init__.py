"""The rules of deployments. Pure functions."""
