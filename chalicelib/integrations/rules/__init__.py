"""Pure decisions of integrations."""
