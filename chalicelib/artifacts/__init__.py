"""Artifacts and releases: what devices install."""
