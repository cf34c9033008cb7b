"""The DynamoDB operations that migrations need, with items and keys in DynamoDB's typed JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

Typed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables whose names begin with ``prefix``."""

    client: Any
    prefix: str

    def get(self, table: str, key: Typed) -> Typed | None:
        """An item as it is now."""
        found: Typed | None = self.client.get_item(TableName=self.prefix + table, Key=key, ConsistentRead=True).get(
            "Item"
        )
        return found

    def query(self, table: str, partition: str, *, index: str | None = None, key: str = "pk") -> Iterator[Typed]:
        """The items of a partition, or of one of an index; in order of their sort keys."""
        asked: Typed = {"IndexName": index} if index else {"ConsistentRead": True}
        pages = self.client.get_paginator("query").paginate(
            TableName=self.prefix + table,
            KeyConditionExpression="#p = :p",
            ExpressionAttributeNames={"#p": key},
            ExpressionAttributeValues={":p": {"S": partition}},
            **asked,
        )
        for page in pages:
            yield from page["Items"]

    def put(self, table: str, item: Typed, condition: Typed) -> bool:
        """Write an item under a condition; False if it did not hold."""
        return self._held(self.client.put_item, TableName=self.prefix + table, Item=item, **condition)

    def complete(self, table: str, item: Typed, name: str, value: Typed) -> bool:
        """Give an item an attribute that it lacks; False if it has it, or is gone."""
        return self._held(
            self.client.update_item,
            TableName=self.prefix + table,
            Key={part: item[part] for part in ("pk", "sk")},
            UpdateExpression="SET #a = :a",
            ConditionExpression="attribute_exists(pk) AND attribute_not_exists(#a)",
            ExpressionAttributeNames={"#a": name},
            ExpressionAttributeValues={":a": value},
        )

    def change(self, table: str, item: Typed, values: Typed, only_if: tuple[str, Typed | None]) -> bool:
        """Set attributes of an item; False if it is gone, or ``only_if``'s attribute has another value (None: any)."""
        name, before = only_if
        names = {f"#a{number}": each for number, each in enumerate(values)}
        known = {f":a{number}": value for number, value in enumerate(values.values())}
        return self._held(
            self.client.update_item,
            TableName=self.prefix + table,
            Key={part: item[part] for part in ("pk", "sk")},
            UpdateExpression="SET " + ", ".join(f"#a{number} = :a{number}" for number in range(len(values))),
            ConditionExpression="attribute_exists(pk) AND "
            + ("attribute_not_exists(#name)" if before is None else "#name = :before"),
            ExpressionAttributeNames={**names, "#name": name},
            ExpressionAttributeValues=known if before is None else {**known, ":before": before},
        )

    def transact(self, writes: list[Typed]) -> bool:
        """Make several writes, or none; False if a condition did not hold, or another transaction was in the way."""
        try:
            self.client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if error.response["Error"]["Code"] == "TransactionCanceledException":
                return False
            raise
        return True

    @staticmethod
    def _held(write: Any, **arguments: Any) -> bool:
        try:
            write(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True
