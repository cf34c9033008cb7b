"""Integrations: webhooks that receive events of devices and deployments."""
