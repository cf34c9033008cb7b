"""Inventory: attributes that devices report and users set, groups, and searches."""
