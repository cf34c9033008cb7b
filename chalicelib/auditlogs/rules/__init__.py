"""Audit entries, their hash chains, and their export. Pure functions."""
