"""What every route shares: identity, permission, bodies, errors, paging. No feature lives here."""
