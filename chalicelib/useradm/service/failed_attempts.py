"""Failed attempts at passwords and codes: counted, and refused for a while if there are too many."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib import actor, clock, limits, settings
from chalicelib.errors import TooManyRequests, Unprocessable
from chalicelib.fleet import strangers
from chalicelib.observability import Metric, count
from chalicelib.useradm import rules
from chalicelib.useradm.service import passwords
from chalicelib.useradm.tables import attempts

if TYPE_CHECKING:
    from chalicelib.useradm.tables.users import User

Guard = tuple[str, str]
"""The key by which attempts are counted."""


def of_user(user: User, what: str) -> Guard:
    """A key that counts for the user, whatever network attempts come from."""
    return hashlib.sha256(user.id.encode()).hexdigest(), what


def refuse_after_failures(guard: Guard, now: datetime) -> None:
    """Raise an error if there were too many failed attempts.

    Raises:
        TooManyRequests: there were ``settings.login_attempts`` in ``settings.login_window`` seconds.
    """
    failed, until = attempts.find(*guard) or (0, now)
    if until > now and failed >= settings.current().login_attempts:
        raise _too_many(until, now)


def note_failure(guard: Guard, now: datetime) -> None:
    """Count a failed attempt.

    Raises:
        TooManyRequests: the caller's network had too many for any accounts; this one is not counted.
    """
    strangers.admit(strangers.Kind.LOGIN_FAILURES, limits.LOGIN_FAILURES_PER_NETWORK)
    attempts.count(*guard, now, timedelta(seconds=settings.current().login_window))
    count(Metric.LOGIN_FAILURES)


def check_password(user: User, given: str) -> None:
    """Check the user's password, because a stolen token must not be enough.

    Attempts are counted by user and network, as for logins, so that an attacker cannot lock the user out elsewhere.
    Each attempt is counted before it is checked, so that simultaneous ones are counted too.

    Raises:
        TooManyRequests: there were too many failed attempts.
        Unprocessable: the password is wrong.
    """
    known, now, guard = settings.current(), clock.now(), _own(user)
    made, until = attempts.count(*guard, now, timedelta(seconds=known.login_window))
    if made > known.login_attempts:
        raise _too_many(until, now)
    if not passwords.verify(user.password, given):
        count(Metric.LOGIN_FAILURES)
        raise Unprocessable("current password mismatch")
    attempts.forget(*guard)


def _own(user: User) -> Guard:
    return of_user(user, f"password {rules.network(actor.current().source_ip)}")


def _too_many(until: datetime, now: datetime) -> TooManyRequests:
    return TooManyRequests(retry_after=math.ceil((until - now).total_seconds()))
