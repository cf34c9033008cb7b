"""What all tables share: connection, keys, attribute types, transactions."""
