"""The secret behind links that the server itself answers: one SecureString in SSM Parameter Store.

Made together with the first signing key (``signing_keys``), and anew when keys are withdrawn. Links live for minutes,
so a new secret costs a device a second poll. A process trusts its copy for ``settings.key_cache`` seconds.
"""

from __future__ import annotations

import secrets
import time
from threading import Lock

from chalicelib import settings
from chalicelib.aws import client
from chalicelib.errors import Unavailable

_BYTES = 32
_held: list[tuple[float, bytes]] = []
_lock = Lock()


def _name() -> str:
    return f"/lamplighter/{settings.current().stage}/link-secret"


def get() -> bytes:
    """The secret.

    Raises:
        Unavailable: the server was not set up.
    """
    with _lock:
        if _held and time.monotonic() - _held[0][0] < settings.current().key_cache:
            return _held[0][1]
        stored = _read()
        if stored is None:
            raise Unavailable("no link secret; run: manage signing-key rotate")
        _held[:] = [(time.monotonic(), stored.encode())]
        return _held[0][1]


def _read() -> str | None:
    try:
        answer = client.call("ssm", "AmazonSSM.GetParameter", {"Name": _name(), "WithDecryption": True})
    except client.AwsError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    return str(answer["Parameter"]["Value"])


def ensure() -> None:
    """Make the secret if there is none."""
    if _read() is None:
        replace()


def replace() -> None:
    """Make a new secret: links that were signed with the one before die."""
    value = secrets.token_hex(_BYTES)
    parameter = {"Name": _name(), "Value": value, "Type": "SecureString", "Overwrite": True}
    client.call("ssm", "AmazonSSM.PutParameter", parameter)
    with _lock:
        _held.clear()
