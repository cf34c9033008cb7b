"""Lamplighter: a Mender-compatible OTA and device-management server on Lambda. Everything here ships."""
