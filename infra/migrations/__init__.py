"""Versions of what is stored, and what brings stored data from one to the next.

The version is an item of the table ``tenantadm``, so a backup that is restored brings its own along. Code of version N
reads the forms of N and N - 1: new code is deployed first, ``manage migrate`` follows when one is sure not to go back.
A migration may die anywhere and run again, and while the server serves.

A migration is never changed once it has been released. It uses DynamoDB operations and not the features'
models, which go on to change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra.migrations import v2, v3, v4, v5
from infra.migrations.items import Tables

UNKNOWN = 1
"""The version of data that were stored before versions were."""
_KEY = {"pk": {"S": "SCHEMA"}, "sk": {"S": "SCHEMA"}}


class NewerDataError(Exception):
    """The data were stored, or migrated, by newer code than this."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What leads to ``version`` from the one before; ``run`` does it for one tenant and says how many items changed."""

    version: int
    about: str
    run: Callable[[Tables, str], int]


MIGRATIONS = (
    Migration(2, "users hold the names of their roles, tenants the count of their changes", v2.run),
    Migration(3, "tenants with many devices are divided into parts", v3.run),
    Migration(4, "of many open deployments, the older ones are in pages", v4.run),
    Migration(5, "deployments may have a rollout, and be paused", v5.run),
)
"""All, in order, without a gap."""
CURRENT = MIGRATIONS[-1].version
"""The version that this code writes."""


@dataclass(frozen=True, slots=True)
class Store:
    """The tables of a stage, as the settings name them."""

    tables: Tables

    def version(self) -> int:
        """The version of what is stored. Where nothing is yet, it becomes this code's.

        Raises:
            botocore.exceptions.ClientError: there are no tables, or AWS refused.
        """
        noted = self._noted()
        if noted is not None:
            return noted
        if any(True for _ in self.tenants()):
            return UNKNOWN
        self._note(CURRENT, before=None)
        return self._noted() or CURRENT

    def check(self) -> int:
        """How many migrations are due.

        Raises:
            NewerDataError: this code is too old for the data.
        """
        version = self.version()
        if version > CURRENT:
            raise NewerDataError(
                f"the stored data have version {version}, and this code knows {CURRENT} at most: use newer code"
            )
        return CURRENT - version

    def migrate(self) -> Iterator[tuple[Migration, str, int]]:
        """Run what is due: yields each migration with each tenant, and how many items changed.

        Raises:
            NewerDataError: this code is too old for the data.
        """
        self.check()
        for migration in MIGRATIONS:
            before = self.version()
            if before >= migration.version:
                continue
            for tenant in self.tenants():
                yield migration, tenant, migration.run(self.tables, tenant)
            # Only now: whoever dies before begins again, which changes nothing twice.
            self._note(migration.version, before=self._noted())

    def tenants(self) -> Iterator[str]:
        """The ids of all tenants, oldest first."""
        for item in self.tables.query("tenantadm", "TENANTS", index="list", key="list_pk"):
            yield item["pk"]["S"].split("#")[1]

    def _noted(self) -> int | None:
        item = self.tables.get("tenantadm", _KEY)
        return int(item["version"]["N"]) if item else None

    def _note(self, version: int, *, before: int | None) -> None:
        """Note a version, unless somebody else has noted another one meanwhile."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if before is not None:
            condition = {
                "ConditionExpression": "#v = :before",
                "ExpressionAttributeNames": {"#v": "version"},
                "ExpressionAttributeValues": {":before": {"N": str(before)}},
            }
        self.tables.put("tenantadm", _KEY | {"version": {"N": str(version)}}, condition)


def store() -> Store:
    """The stage that the settings name."""
    # Imported here: the app reads its settings once, after the caller has put them in place.
    from chalicelib import settings

    return Store(Tables(boto3.client("dynamodb"), settings.current().table_prefix))


def due() -> int:
    """How many migrations the stage waits for; 0 also where there is no stage yet.

    Raises:
        NewerDataError: this code is too old for the data.
    """
    try:
        return store().check()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return 0
        raise
