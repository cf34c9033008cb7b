"""The connection through which all DynamoDB calls pass.

Observers see every call; tests use them to count round trips and units. Requests are sent by our own transport
(``docs/adr/0010-own-dynamodb-transport.md``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

from pynamodb.connection import Connection
from pynamodb.exceptions import CancellationReason, VerboseClientError

from chalicelib import settings
from chalicelib.storage.transport import Refused, Transport

Observer = Callable[[str, dict[str, Any], dict[str, Any]], None]

observers: list[Observer] = []
"""Functions that are called after each call: with the operation's name, request and answer (empty if it failed)."""


class SeamConnection(Connection):
    """pynamodb's connection with observers and our own transport. Its ``client`` is never created."""

    def __init__(self, region: str) -> None:
        """``region``: the region of the tables."""
        super().__init__(region=region)

    @cached_property
    def _transport(self) -> Transport:
        aws = settings.aws()
        return Transport(aws.region, aws.endpoint_url)

    def __repr__(self) -> str:
        return f"SeamConnection<{self.region}>"  # pynamodb's own method would create a client

    def close(self) -> None:
        """Close idle connections. The next call opens new ones with the settings of that time."""
        transport: Transport | None = vars(self).pop("_transport", None)
        if transport is not None:
            transport.close()

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Run one operation.

        Raises:
            Unavailable: DynamoDB throttled the call or could not be reached, several times.
            VerboseClientError: any other error; pynamodb converts the ones that it knows.
        """
        answer: dict[str, Any] = {}
        try:
            answer = super().dispatch(operation_name, operation_kwargs)
        finally:
            for observer in observers:
                observer(operation_name, operation_kwargs, answer)
        return answer

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._transport.call(operation_name, operation_kwargs)
        except Refused as refused:
            raise VerboseClientError(
                {"Error": {"Code": refused.code, "Message": refused.message}},
                operation_name,
                {
                    "request_id": refused.request_id,
                    "table_name": self._get_table_name_for_error_context(operation_kwargs),
                },
                cancellation_reasons=map(_reason, refused.reasons),
            ) from refused


def _reason(found: dict[str, Any]) -> CancellationReason | None:
    if found["Code"] == "None":
        return None
    return CancellationReason(found["Code"], found.get("Message"), found.get("Item"))


@cache
def shared() -> SeamConnection:
    """The connection of this process: one pool for all tables."""
    return SeamConnection(settings.aws().region)
