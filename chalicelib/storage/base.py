"""The base class of stored items, and attribute types that pynamodb does not have."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.constants import ATTR_DEFINITIONS, BINARY, GLOBAL_SECONDARY_INDEXES, NUMBER
from pynamodb.exceptions import PutError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import Action, RemoveAction, SetAction
from pynamodb.models import Model

from chalicelib.storage import connection, keys, values
from chalicelib.storage.transactions import Transaction
from chalicelib.storage.transport import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pynamodb.connection.base import MetaTable
    from pynamodb.connection.table import TableConnection

__all__ = ["Action", "BlobAttribute", "Condition", "IntegerAttribute", "Item", "TableName", "TimeAttribute"]


class TableName:
    """The full name of a table in this stage. It is resolved when it is read, so models can be imported earlier."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _meta: object, _owner: type) -> str:
        return keys.table(self._name)


def _add_indexes(known: MetaTable, meta: MetaTable) -> None:
    """Add the indexes of another model of the same table to ``known``, because each model knows only its own."""
    for about in (GLOBAL_SECONDARY_INDEXES, ATTR_DEFINITIONS):
        entries = known.data.setdefault(about, [])
        entries += [entry for entry in meta.data.get(about, ()) if entry not in entries]


class Item(Model):
    """An item of a table with keys ``pk`` and ``sk``. Subclasses name their table in ``class Meta``."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)

    @classmethod
    def _get_connection(cls) -> TableConnection:
        # All tables share one connection, and with it one pool and one set of observers.
        if "_connection" not in vars(cls):
            # If the connection of a base class was used before, it does not know this class's indexes.
            cls._connection = None
        if cls._connection is not None:
            return cls._connection
        table_connection = super()._get_connection()
        meta = table_connection.get_meta_table()
        shared = connection.shared()
        known = shared._tables.get(meta.table_name)  # noqa: SLF001  # pynamodb has no public way to ask
        if known is None:
            shared.add_meta_table(meta)
        else:
            _add_indexes(known, meta)
        table_connection.connection = shared
        return table_connection

    @classmethod
    def find(cls, pk: str, sk: str) -> Self | None:
        """The item (strongly consistent read); None if it does not exist."""
        try:
            return cls.get(pk, sk, consistent_read=True)
        except cls.DoesNotExist:
            return None

    def fetch(self) -> Self | None:
        """Like :meth:`find`, by the key of this item."""
        return self.find(self.pk, self.sk)

    def save_if(self, condition: Condition) -> bool:
        """Put the whole item. Returns False and writes nothing if the condition fails.

        If an earlier answer was lost, the condition may fail because this very item is stored. That counts as done.
        """
        try:
            return _held(lambda: self.save(condition))
        except _UnsureError:
            found = self.fetch()
            return found is not None and found.serialize() == self.serialize()

    def update_if(self, actions: Sequence[Action], condition: Condition) -> bool:
        """Change the item, and load its new values. Returns False and writes nothing if the condition fails.

        If an earlier answer was lost, the condition may fail because of this very update. That counts as done if the
        item has what the actions set and lacks what they remove. After an ``ADD`` the item does not show this, so the
        result is False although the number may have been added: a limit is then reached one too early, never too
        late.
        """
        try:
            return _held(lambda: self.update(list(actions), condition))
        except _UnsureError:
            found = self.fetch()
            if found is None or not _shows(found, actions):
                return False
            self.deserialize(found.serialize())
            return True

    def delete_if(self, condition: Condition) -> bool:
        """Delete the item; False if the condition fails.

        Exactly one of several callers gets True, even if an answer was lost: the delete is a transaction, whose token
        DynamoDB remembers. It costs twice the write units of a plain delete.
        """
        tx = Transaction()
        tx.delete(self, condition)
        return tx.try_commit()


class _UnsureError(Exception):
    """A condition failed, possibly because the write was done before and its answer was lost."""


def _held(write: Callable[[], object]) -> bool:
    try:
        write()
    except (PutError, UpdateError) as error:
        if error.cause_response_code != "ConditionalCheckFailedException":
            raise
        refused = getattr(error.cause, "__cause__", None)
        if isinstance(refused, Refused) and refused.unsure:
            raise _UnsureError from error
        return False
    return True


def _shows(item: Item, actions: Sequence[Action]) -> bool:
    """Whether an item is as these actions leave it; False for actions that depend on the previous value."""
    stored = item.serialize()
    for action in actions:
        target, *set_to = action.values
        value = set_to[0].value if set_to and isinstance(set_to[0], Value) else None
        known = isinstance(action, RemoveAction) or (isinstance(action, SetAction) and value is not None)
        if not known or not isinstance(target, Path) or len(target.path) != 1 or stored.get(target.path[0]) != value:
            return False
    return True


class TimeAttribute(Attribute[datetime]):
    """A time in UTC, stored as whole milliseconds since 1970."""

    attr_type = NUMBER

    def serialize(self, value: datetime) -> str:
        """DynamoDB's form."""
        return values.of_time(value)

    def deserialize(self, value: str) -> datetime:
        """The time in UTC."""
        return values.to_time(value)


class IntegerAttribute(Attribute[int]):
    """An integer. pynamodb's own attribute of numbers is typed as any number."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        """DynamoDB's form."""
        return str(int(value))

    def deserialize(self, value: str) -> int:
        """The integer."""
        return int(value)


class BlobAttribute(Attribute[Any]):
    """Any JSON document as one binary value, compressed when that is smaller.

    A blob costs half the units and a tenth of the CPU of nested attributes, and no part of it is ever queried.
    """

    attr_type = BINARY

    def serialize(self, value: Any) -> bytes:
        """JSON bytes, or their zlib form if shorter."""
        return values.of_document(value)

    def deserialize(self, value: bytes) -> Any:
        """The document, of plain dicts, lists and scalars."""
        return values.to_document(value)
