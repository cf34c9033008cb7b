"""Tenants: who shares this server, on which plan, with which limits; and the token that devices find theirs by."""
