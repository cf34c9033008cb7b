"""``manage backup ...``: restores tables as they were at a time.

DynamoDB restores a table into a new one. Files need no restoring: the bucket keeps replaced and deleted ones for the
days of its lifecycle, and stored items name the version of their object.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import boto3
import click

from infra.manage.cli import Result, command, manage

Item = dict[str, Any]
_SEGMENTS = 8
"""Segments of a table that are copied at the same time."""
_BATCH = 25
"""AWS: items in one BatchWriteItem."""
_PAUSE = 0.1
_WAIT = {"Delay": 15, "MaxAttempts": 960}
"""Restoring a large table takes hours."""


@manage.group()
def backup() -> None:
    """Restore the stored data as they were at a time."""


_PREFIX = click.argument("prefix")


@command(backup, "restore", any_data=True)
@_PREFIX
@click.option(
    "--at", type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]), help="UTC; default: the latest time that can be restored."
)
def restore(prefix: str, at: datetime | None) -> Result:
    """Restore every table as it was at a time into a new one whose name begins with PREFIX instead.

    All tables are restored as of the same moment. They get the expiry, backups and protection of the originals. The
    server continues with its own tables until it is pointed at the new ones (LAMPLIGHTER_TABLE_PREFIX).
    """
    from chalicelib import settings

    own = settings.current().table_prefix
    if prefix == own or not prefix.startswith("lamplighter-"):
        raise click.UsageError("PREFIX must begin with lamplighter- and differ from the server's own prefix")
    dynamodb = boto3.client("dynamodb")
    # What a person types knows no zone, and boto3 would take it for the machine's.
    when = at.replace(tzinfo=UTC) if at else _latest(dynamodb, own)
    moment: dict[str, Any] = {"RestoreDateTime": when} if when else {"UseLatestRestorableTime": True}
    names = _tables(dynamodb, own)
    for name in names:
        click.echo(f"restoring {name}", err=True)
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=own + name, TargetTableName=prefix + name, BillingModeOverride="PAY_PER_REQUEST", **moment
        )
    for name in names:
        dynamodb.get_waiter("table_exists").wait(TableName=prefix + name, WaiterConfig=_WAIT)
        _like(dynamodb, own + name, prefix + name)
    shown = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else "now"
    return Result(
        "\n".join(f"{prefix}{name}" for name in names), {"at": shown, "tables": [f"{prefix}{name}" for name in names]}
    )


@command(backup, "copy", any_data=True)
@_PREFIX
@click.option("--replace", is_flag=True, help="Delete everything in the server's tables first.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def copy(prefix: str, *, replace: bool, yes: bool) -> Result:
    """Copy all items of the tables whose names begin with PREFIX into the server's own, which must be empty.

    Stop the server first (docs/operations.md). If it is interrupted, start it again with --replace.
    """
    from chalicelib import settings

    own = settings.current().table_prefix
    dynamodb = boto3.client("dynamodb")
    names = _tables(dynamodb, prefix)
    if not names or prefix == own:
        raise click.UsageError(f"there are no tables whose names begin with {prefix}")
    filled = [name for name in names if dynamodb.scan(TableName=own + name, Limit=1)["Items"]]
    if filled and not replace:
        raise click.UsageError(
            f"not empty: {', '.join(own + name for name in filled)}; --replace deletes their contents first"
        )
    if filled and not yes:
        click.confirm(f"Throw away all items of {len(filled)} tables {own}*?", abort=True, err=True)
    counts = {}
    for name in names:
        if name in filled:
            _each(dynamodb, own + name, own + name, _delete)
        counts[name] = _each(dynamodb, prefix + name, own + name, _put)
        click.echo(f"{own}{name}: {counts[name]} items", err=True)
    return Result(f"copied: {sum(counts.values())}", counts)


def _tables(dynamodb: Any, prefix: str) -> list[str]:
    """The names, without it, of the tables whose names begin with ``prefix`` and go on as those of the server do."""
    return sorted(
        name.removeprefix(prefix)
        for page in dynamodb.get_paginator("list_tables").paginate()
        for name in page["TableNames"]
        if name.startswith(prefix) and "-" not in name.removeprefix(prefix)
    )


def _latest(dynamodb: Any, prefix: str) -> datetime | None:
    """The latest moment at which every table can be restored; None where the engine does not say."""
    times = []
    for name in _tables(dynamodb, prefix):
        about = dynamodb.describe_continuous_backups(TableName=prefix + name)["ContinuousBackupsDescription"]
        latest = about["PointInTimeRecoveryDescription"].get("LatestRestorableDateTime")
        if latest is None:
            return None
        times.append(latest)
    return min(times, default=None)


def _like(dynamodb: Any, source: str, target: str) -> None:
    """Give a restored table what a restore leaves out."""
    expiry = dynamodb.describe_time_to_live(TableName=source)["TimeToLiveDescription"]
    if expiry["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
        dynamodb.update_time_to_live(
            TableName=target,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": expiry["AttributeName"]},
        )
    about = dynamodb.describe_continuous_backups(TableName=source)["ContinuousBackupsDescription"]
    if about["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED":
        dynamodb.update_continuous_backups(
            TableName=target, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    if dynamodb.describe_table(TableName=source)["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=target, DeletionProtectionEnabled=True)


def _each(dynamodb: Any, source: str, target: str, request: Callable[[Item], Item]) -> int:
    """Write a request for each item of one table to another; how many."""

    def part(segment: int) -> int:
        count = 0
        for items in _pages(dynamodb, source, segment):
            for start in range(0, len(items), _BATCH):
                _write(dynamodb, target, [request(item) for item in items[start : start + _BATCH]])
            count += len(items)
        return count

    with ThreadPoolExecutor(_SEGMENTS) as threads:
        return sum(threads.map(part, range(_SEGMENTS)))


def _pages(dynamodb: Any, table: str, segment: int) -> Iterator[list[Item]]:
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=table, Segment=segment, TotalSegments=_SEGMENTS, ConsistentRead=True
    )
    for page in pages:
        yield page["Items"]


def _write(dynamodb: Any, table: str, requests: list[Item]) -> None:
    pause = _PAUSE
    while requests:
        left = dynamodb.batch_write_item(RequestItems={table: requests}).get("UnprocessedItems", {})
        requests = left.get(table, [])
        if requests:
            time.sleep(pause)
            pause = min(2 * pause, 10)


def _put(item: Item) -> Item:
    return {"PutRequest": {"Item": item}}


def _delete(item: Item) -> Item:
    return {"DeleteRequest": {"Key": {"pk": item["pk"], "sk": item["sk"]}}}
