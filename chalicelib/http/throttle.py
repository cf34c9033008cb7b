"""Rate limits: calls per minute, and 429 beyond that (``docs/behaviour.md#rate-limits``).

They keep one busy caller from slowing down all others. Each process counts in its own memory, without a call to
DynamoDB, so the limits are approximate: several warm Lambda environments count separately, and a new one starts at
zero. Exact limits (devices, storage) are enforced elsewhere.
"""

from __future__ import annotations

import math
import random
import time
from threading import Lock
from typing import Final

import msgspec

from chalicelib import settings
from chalicelib.cache import Store
from chalicelib.errors import TooManyRequests

_MINUTE: Final = 60.0
_CALLERS: Final = 20_000
"""Number of remembered callers; the one that has been silent longest is dropped first."""

Key = tuple[str, ...]


class _Bucket(msgspec.Struct):
    """The number of calls that a caller may still make at a moment."""

    left: float
    at: float


_buckets: Store[Key, _Bucket] = Store(_CALLERS)
_lock = Lock()


def admit(kind: str, tenant: str, subject: str) -> None:
    """Count a call of a device or user, and refuse it if there were too many.

    A refused call is not counted.

    Raises:
        TooManyRequests: the caller, or its tenant as a whole, called too often. ``Retry-After`` differs, so that
            callers refused at the same time do not return at the same time.
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
    """Take one call from each bucket, or from none; returns the seconds until all have one."""
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
        bucket = _Bucket(rate, now)
        _buckets.put(key, bucket)
    bucket.left = min(float(rate), bucket.left + (now - bucket.at) * rate / _MINUTE)
    bucket.at = now
    return bucket
