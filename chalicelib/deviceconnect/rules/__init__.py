"""The rules of remote access. Pure functions, independent of any transport."""
