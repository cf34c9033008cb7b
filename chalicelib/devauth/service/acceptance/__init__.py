"""Acceptance rules: accepting devices by them, managing and previewing them, and preregistering identities."""
