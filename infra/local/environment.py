"""The environment of the app on one machine."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.local.engine.process import Engine

_FOREIGN = "AWS_"
"""Prefix of variables that could lead an SDK to another account or server: profiles, roles, endpoints of single
services."""


def of_app(engine: Engine, url: str, stage: str = "local") -> dict[str, str]:
    """The variables of an app with the public address ``url`` on ``engine``."""
    return {
        **engine.env(),
        "LAMPLIGHTER_STAGE": stage,
        "LAMPLIGHTER_TABLE_PREFIX": f"lamplighter-{stage}-",
        "LAMPLIGHTER_QUEUE_PREFIX": f"lamplighter-{stage}-",
        "LAMPLIGHTER_BUCKET": f"lamplighter-{stage}-artifacts",
        "LAMPLIGHTER_PUBLIC_URL": url,
        "LAMPLIGHTER_S3_PUBLIC_URL": url,
        "LAMPLIGHTER_METRICS": "false",  # no CloudWatch reads them here
    }


def drop_foreign() -> dict[str, str]:
    """Remove the developer's own AWS variables from this process's environment, and return them."""
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_FOREIGN)}


@contextmanager
def applied(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the duration of a block, as if the process had been started with them."""
    before: dict[str, str | None] = {name: os.environ.get(name) for name in variables}
    before |= drop_foreign()
    os.environ.update(variables)
    _forget()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _forget()


def _forget() -> None:
    """Clear the app's settings and caches (keys included), which may be those of another engine."""
    settings = sys.modules.get("chalicelib.settings")
    if settings is not None:
        settings.current.cache_clear()
        settings.aws.cache_clear()
    cache = sys.modules.get("chalicelib.cache")
    if cache is not None:
        cache.forget_all()
    for name in ("aws.queues", "storage.credentials"):
        known = sys.modules.get(f"chalicelib.{name}")
        if known is not None:
            known.forget()
    boto3 = sys.modules.get("boto3")
    if boto3 is not None:
        vars(boto3)["DEFAULT_SESSION"] = None
    client = sys.modules.get("chalicelib.aws.client")
    if client is not None and client.pool.cache_info().currsize:
        client.pool().clear()
    dynamodb = sys.modules.get("chalicelib.storage.dynamodb")
    if dynamodb is not None and dynamodb.shared.cache_info().currsize:
        dynamodb.shared().close()
