"""What an entry is, how entries hang together, and how they become a table. Pure."""
