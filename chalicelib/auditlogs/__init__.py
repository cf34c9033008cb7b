"""Who changed what, and when: an append-only log of every change that a user makes."""
