"""The rest of AWS: one module a service, each with the few calls that features need, behind plain functions."""
