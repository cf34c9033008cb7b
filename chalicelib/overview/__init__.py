"""What needs attention first, of all of a tenant, in one call."""
