"""Inventory: what devices say about themselves, what users say about them, and finding them by it."""
