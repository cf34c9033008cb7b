"""The one seam through which all DynamoDB traffic passes.

Observers see every call (tests count round trips and units with them); the transport under it can be replaced
here without touching a feature.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError
from pynamodb.connection import Connection
from pynamodb.exceptions import VerboseClientError

from chalicelib import settings
from chalicelib.errors import Unavailable

Observer = Callable[[str, dict[str, Any], dict[str, Any]], None]

observers: list[Observer] = []
"""Called after each call with the operation's name, its request and its answer (empty if it failed)."""

_THROTTLED = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
    }
)


class SeamConnection(Connection):
    """pynamodb's connection, observed, with throttling and lost connections told apart from our own errors."""

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Run one operation.

        Raises:
            Unavailable: DynamoDB throttled the call or could not be reached, after botocore's retries.
            VerboseClientError: any other refusal; pynamodb maps the ones it knows.
        """
        answer: dict[str, Any] = {}
        try:
            answer = super().dispatch(operation_name, operation_kwargs)
        except VerboseClientError as error:
            if error.response.get("Error", {}).get("Code") in _THROTTLED:
                raise Unavailable("service unavailable") from error
            raise
        except BotoCoreError as error:
            raise Unavailable("service unavailable") from error
        finally:
            for observer in observers:
                observer(operation_name, operation_kwargs, answer)
        return answer


@cache
def shared() -> SeamConnection:
    """The connection of this process: one client, one pool, for all tables."""
    aws = settings.aws()
    return SeamConnection(
        region=aws.region,
        host=aws.endpoint_url,
        connect_timeout_seconds=2,
        read_timeout_seconds=10,
        max_pool_connections=64,
        retry_configuration={"total_max_attempts": 4, "mode": "standard"},
    )
