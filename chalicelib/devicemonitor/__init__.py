"""Device monitor: alerts that devices send, what they watch, and mails about what changes."""
