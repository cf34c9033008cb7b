"""Counts failed logins by address and network, and other attempts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.storage import keys
from chalicelib.storage.base import IntegerAttribute, TimeAttribute
from chalicelib.useradm.tables import UseradmItem

if TYPE_CHECKING:
    from chalicelib.storage.transactions import Transaction

ATTEMPTS = "attempts"
"""Label of a condition: too many failed logins."""
_SORT = "LOGIN"
_RACES = 3


class AttemptsItem(UseradmItem):
    """Failed logins in a window, which ends at ``until``; deleted some time after."""

    failed = IntegerAttribute()
    until = TimeAttribute()
    expires_at = IntegerAttribute()


def _ref(email_hash: str, network: str) -> AttemptsItem:
    return AttemptsItem(keys.shared("LOGIN", email_hash, network), _SORT)


def find(email_hash: str, network: str) -> tuple[int, datetime] | None:
    """The number of failed logins, and the end of their window."""
    item = _ref(email_hash, network).fetch()
    return (item.failed, item.until) if item is not None else None


def count(email_hash: str, network: str, now: datetime, window: timedelta) -> tuple[int, datetime]:
    """Count a failure; the first one begins a window. Returns the number, and the end of the window."""
    for _ in range(_RACES):
        item = _ref(email_hash, network)
        if item.update_if([AttemptsItem.failed.add(1)], AttemptsItem.until > now):
            return item.failed, item.until
        item.failed, item.until = 1, now + window
        item.expires_at = int(item.until.timestamp()) + 1
        if item.save_if(AttemptsItem.pk.does_not_exist() | (AttemptsItem.until <= now)):
            break
    return 1, now + window


def forget(email_hash: str, network: str) -> None:
    """Forget failures."""
    _ref(email_hash, network).delete()


def clear(tx: Transaction, email_hash: str, network: str, now: datetime, limit: int) -> None:
    """Reset the count in the transaction of a login, which fails if there are ``limit`` or more.

    As a part of the login's transaction, a correct attempt among many simultaneous ones cannot bypass the failures of
    the others.
    """
    few = AttemptsItem.pk.does_not_exist() | (AttemptsItem.failed < limit) | (AttemptsItem.until <= now)
    tx.delete(_ref(email_hash, network), few, label=ATTEMPTS)
