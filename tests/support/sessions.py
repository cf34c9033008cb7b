"""Sessions whose sign-in is not recent."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import jwt

from chalicelib import clock, limits
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction
from chalicelib.useradm.tables import tokens

if TYPE_CHECKING:
    import httpx2


def age_session(client: httpx2.Client) -> None:
    """Make the sign-in of a client's session just too old for changing credentials without the password."""
    claims = jwt.decode(client.headers["Authorization"].split()[1], options={"verify_signature": False})
    then = clock.now() - timedelta(seconds=limits.RECENT_SIGN_IN + 1)
    home = TenantId(claims.get("lamplighter.home", claims["mender.tenant"]))
    tx = Transaction()
    tokens.note_proof(tx, home, claims["sub"], claims["jti"], tokens.Proof(then))
    tx.commit()
