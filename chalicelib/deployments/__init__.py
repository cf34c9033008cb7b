"""Deployments: what is rolled out to whom, what each device gets at its poll, and what it reports."""
