"""Rate limits: calls per minute, and 429 beyond that (``docs/behaviour.md#rate-limits``).

They keep one busy caller from slowing down all others. Each process counts in its own memory, without a call to
DynamoDB, so the limits are approximate: several warm Lambda environments count separately, and a new one starts at
zero. Exact limits (devices, storage) are enforced elsewhere.
"""

from __future__ import annotations

import math
import random
import time
from collections import OrderedDict
from threading import Lock
from typing import Final

import msgspec

from chalicelib import settings
from chalicelib.errors import TooManyRequests

_MINUTE: Final = 60.0
_CALLERS: Final = 20_000
"""Callers that are remembered; who has not called for the longest is forgotten first."""

Key = tuple[str, ...]


class _Bucket(msgspec.Struct):
    """What a caller may still call at once, as of a moment."""

    left: float
    at: float


_buckets: OrderedDict[Key, _Bucket] = OrderedDict()
_lock = Lock()


def admit(kind: str, tenant: str, subject: str) -> None:
    """Count a call of a device or user, and let it through.

    A refused call counts against nobody.

    Raises:
        TooManyRequests: the caller, or its tenant as a whole, called too often. The time to come back at differs, so
            that those who are refused together don't come back together.
    """
    known = settings.current()
    each, everyone = known.device_rate if kind == "device" else known.user_rate, known.tenant_rate
    if not each and not everyone:
        return
    wanted = [((kind, tenant, subject), each), (("tenant", tenant), everyone)]
    waits = _take([(key, rate) for key, rate in wanted if rate], time.monotonic())
    if waits > 0:
        raise TooManyRequests(retry_after=math.ceil(waits + random.uniform(0, max(waits, 5))))  # noqa: S311  # no secret


def _take(wanted: list[tuple[Key, int]], now: float) -> float:
    """Take a call out of all of these buckets, or out of none; seconds until all of them have one."""
    with _lock:
        buckets = [(_bucket(key, rate, now), rate) for key, rate in wanted]
        waits = max((1 - bucket.left) * _MINUTE / rate for bucket, rate in buckets)
        if waits <= 0:
            for bucket, _ in buckets:
                bucket.left -= 1
    return waits


def _bucket(key: Key, rate: int, now: float) -> _Bucket:
    """A caller's bucket, filled up to ``now``; a new one is full."""
    bucket = _buckets.get(key)
    if bucket is None:
        bucket = _buckets[key] = _Bucket(rate, now)
        if len(_buckets) > _CALLERS:
            _buckets.popitem(last=False)
    _buckets.move_to_end(key)
    bucket.left = min(float(rate), bucket.left + (now - bucket.at) * rate / _MINUTE)
    bucket.at = now
    return bucket


def forget() -> None:
    """Count from nothing again."""
    _buckets.clear()
