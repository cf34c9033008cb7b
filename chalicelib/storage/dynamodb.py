"""Where all calls of DynamoDB pass.

Observers see every call; tests use them to count round trips and units. Requests are sent by our own transport
(``docs/adr/0010-own-dynamodb-transport.md``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

from chalicelib import settings
from chalicelib.storage.transport import Transport

Observer = Callable[[str, dict[str, Any], dict[str, Any]], None]

observers: list[Observer] = []
"""Functions that are called after each call: with the operation's name, request and answer (empty if it failed)."""


class Database:
    """DynamoDB in the region of the tables, or the embedded engine."""

    @cached_property
    def _transport(self) -> Transport:
        aws = settings.aws()
        return Transport(aws.region, aws.endpoint_url)

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run one operation, in DynamoDB's typed form.

        Raises:
            Refused: DynamoDB refused the request.
            Unavailable: DynamoDB throttled the call or could not be reached, several times.
        """
        answer: dict[str, Any] = {}
        try:
            answer = self._transport.call(operation, request)
        finally:
            for observer in observers:
                observer(operation, request, answer)
        return answer

    def close(self) -> None:
        """Close idle connections. The next call opens new ones with the settings of that time."""
        transport: Transport | None = vars(self).pop("_transport", None)
        if transport is not None:
            transport.close()


@cache
def shared() -> Database:
    """The database of this process: one pool of connections for all tables."""
    return Database()
