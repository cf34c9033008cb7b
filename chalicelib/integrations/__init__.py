"""Integrations: webhooks that are told of what happens to devices and deployments."""
