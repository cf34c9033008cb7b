"""Deployments: creating them, what each device gets at its poll, and what it reports."""
