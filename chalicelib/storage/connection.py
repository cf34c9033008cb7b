"""pynamodb's connection, which sends nothing itself: all calls pass through ``storage.dynamodb``."""

from __future__ import annotations

from functools import cache
from typing import Any

from pynamodb.connection import Connection
from pynamodb.exceptions import CancellationReason, VerboseClientError

from chalicelib import settings
from chalicelib.storage import dynamodb
from chalicelib.storage.transport import Refused


class SeamConnection(Connection):
    """A connection of pynamodb whose ``client`` is never created."""

    def __repr__(self) -> str:
        return f"SeamConnection<{self.region}>"  # pynamodb's own method would create a client

    def _make_api_call(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            return dynamodb.shared().call(operation_name, operation_kwargs)
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
    """The connection of this process."""
    return SeamConnection(region=settings.aws().region)
