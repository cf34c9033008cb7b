"""What every table shares: connection, keys, attribute types, transactions. No entity lives here."""
