"""The decisions of deployments: pure functions of what they are given."""
