"""Users: accounts, sessions, personal access tokens, settings, second factors and single sign-on."""
