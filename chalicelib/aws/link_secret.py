"""The secret that signs links to the server itself.

Created with the first signing key (``signing_keys``), and replaced when keys are withdrawn. Links are valid for
minutes, so a new secret costs a device at most one more poll.
"""

from __future__ import annotations

import secrets

from chalicelib.aws.parameters import Parameter

_BYTES = 32
_parameter = Parameter("link-secret", str.encode)


def get() -> bytes:
    """The secret.

    Raises:
        Unavailable: the server was not set up.
    """
    return _parameter.get()


def ensure() -> None:
    """Create the secret if there is none."""
    if _parameter.read() is None:
        replace()


def replace() -> None:
    """Create a new secret, which makes all existing links invalid."""
    _parameter.write(secrets.token_hex(_BYTES), overwrite=True)
