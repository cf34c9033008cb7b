"""The rules of device authentication, by topic: identity data, public keys, auth sets."""
