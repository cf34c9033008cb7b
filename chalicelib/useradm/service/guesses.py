"""Guesses at what only a user knows: counted, and refused for a while when there were too many."""

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
"""What guesses are counted by."""


def of_user(user: User, what: str) -> Guard:
    """Counts for the user, whatever network guesses come from."""
    return hashlib.sha256(user.id.encode()).hexdigest(), what


def refuse_after_failures(guard: Guard, now: datetime) -> None:
    """Go on only if there were not too many.

    Raises:
        TooManyRequests: there were ``settings.login_attempts`` in ``settings.login_window`` seconds.
    """
    failed, until = attempts.find(*guard) or (0, now)
    if until > now and failed >= settings.current().login_attempts:
        raise _too_many(until, now)


def note_failure(guard: Guard, now: datetime) -> None:
    """Count a wrong guess.

    Raises:
        TooManyRequests: the caller's network made too many, at whatever accounts; this one is counted no further.
    """
    strangers.admit(strangers.Kind.LOGIN_FAILURES, limits.LOGIN_FAILURES_PER_NETWORK)
    attempts.count(*guard, now, timedelta(seconds=settings.current().login_window))
    count(Metric.LOGIN_FAILURES)


def check_password(user: User, given: str) -> None:
    """Go on only for who knows the user's password: a token that was found on a device is not enough.

    Guesses are counted by user and network, as logins are: who guesses does not keep the user from it elsewhere.

    Each guess is counted before it is looked at, so that of many at once none slips through.

    Raises:
        TooManyRequests: enough wrong ones were tried.
        Unprocessable: it is another.
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
