"""Users: who they are, their sessions and personal access tokens, their settings."""
