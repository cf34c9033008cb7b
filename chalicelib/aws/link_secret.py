"""The secret behind links that the server itself answers.

Made together with the first signing key (``signing_keys``), and anew when keys are withdrawn. Links live for minutes,
so a new secret costs a device a second poll.
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
    """Make the secret if there is none."""
    if _parameter.read() is None:
        replace()


def replace() -> None:
    """Make a new secret: links that were signed with the one before die."""
    _parameter.write(secrets.token_hex(_BYTES), overwrite=True)


def forget() -> None:
    """Drop this process's copy; the next use reads the secret."""
    _parameter.forget()
