"""What needs attention in a tenant, in one call, the most urgent first."""
