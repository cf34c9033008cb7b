"""Shared by all tables: connection, keys, attribute types, transactions."""
