"""The rules of the inventory, by topic: attributes, devices, matching, queries."""
