"""The log of a large tenant, whose chain heads and lists are divided into groups."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from chalicelib.auditlogs import service
from chalicelib.auditlogs.rules import chains
from chalicelib.auditlogs.service import recording
from chalicelib.auditlogs.tables import EntryItem, HeadItem
from chalicelib.storage import keys
from tests.auditlogs.conftest import EXPORT, LOGS, Log, release
from tests.auditlogs.test_logs import NOON, at, ids, seconds
from tests.large.growing import grow
from tests.support.probe import counted

BEFORE, ALL = 4, 30


@pytest.fixture
def mixed(log: Log, monkeypatch: pytest.MonkeyPatch) -> Log:
    """Entries for the releases ``0`` to ``29``, an hour apart; the first four from before the tenant became large."""
    with monkeypatch.context() as patch:
        for hour in range(ALL):
            if hour == BEFORE:
                grow(log.tenant.id)
            at(patch, NOON + timedelta(hours=hour))
            log.write(release(str(hour)))
    return log


def test_lists_contain_the_entries_of_all_groups(mixed: Log) -> None:
    newest_first = [str(hour) for hour in reversed(range(ALL))]

    assert ids(mixed.get(object_type="release")) == newest_first
    assert ids(mixed.get(object_type="release", sort="asc")) == newest_first[::-1]
    assert ids(mixed.get())[:ALL] == newest_first
    pages = [mixed.api.get(LOGS, params={"page": page, "per_page": 7}).json() for page in range(1, 5)]
    assert ids([entry for page in pages for entry in page]) == newest_first[:28]
    first, last = (seconds(NOON + timedelta(hours=hour)) for hour in (2, 20))
    assert ids(mixed.get(created_after=first, created_before=last)) == newest_first[ALL - 21 : ALL - 2]
    exported = list(csv.DictReader(io.StringIO(mixed.api.get(EXPORT, params={"object_type": "release"}).text)))
    assert [row["object.id"] for row in exported] == newest_first


def test_heads_and_lists_have_keys_of_their_own(mixed: Log) -> None:
    tenant = mixed.tenant.id
    groups = [keys.partition(tenant, "L", f"{group:x}") for group in range(chains.GROUPS)]
    heads = [head for group in groups for head in HeadItem.query(group)]
    listed = [entry for group in groups for entry in EntryItem.by_time.query(group)]

    assert sum(head.number for head in heads) == len(listed) == ALL - BEFORE
    assert len({head.pk for head in heads}) > 1


def test_the_chains_are_verified(mixed: Log) -> None:
    tenant = mixed.tenant.id
    assert list(service.verify(tenant)) == []
    shard, (number, _) = max(service.ends(tenant).items())
    assert shard in chains.DIVIDED

    HeadItem(keys.partition(tenant, "L", f"{shard % chains.GROUPS:x}"), str(shard)).delete()

    assert f"chain {shard}: what comes after number 0 was not added by the server" in list(service.verify(tenant))
    assert number > 0


def test_an_entry_costs_the_same(log: Log, warm: None) -> None:
    with counted() as undivided:
        log.write(release("a"))
    grow(log.tenant.id)
    log.write(release("b"))

    with counted() as divided:
        log.write(release("c"))

    assert (divided.calls, divided.write_units) == (undivided.calls, undivided.write_units)


def test_a_page_reads_the_groups_at_the_same_time(mixed: Log) -> None:
    mixed.get()
    with counted() as cost:
        mixed.api.get(LOGS, params={"per_page": 5})

    # The session; the heads and the list of each group.
    assert len(cost.calls) <= 2 + 2 * (1 + chains.GROUPS)


def test_the_heads_of_a_removed_tenant_expire(mixed: Log) -> None:
    recording.erase(mixed.tenant.id)

    partitions = [keys.partition(mixed.tenant.id, "L", f"{group:x}") for group in range(chains.GROUPS)]
    assert all(head.expires_at == head.expires for each in partitions for head in HeadItem.query(each))
