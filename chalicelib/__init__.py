"""Lamplighter: a Mender-compatible OTA and device-management server on Lambda. Everything in this package ships."""

__version__ = "0.1.0"
"""The version (``RELEASE.md``)."""
