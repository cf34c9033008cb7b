"""Walks all stored items, and checks that they fit together: there are no orphans, and counters equal what they count.

It reads the tables themselves, not through the server's code, whose mistakes it would repeat. Call it when nothing
changes any more.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import Binary, TypeDeserializer

from chalicelib.deployments.rules.statuses import RANK, Status
from chalicelib.storage.base import BlobAttribute
from infra.local.engine.process import REGION
from tests.soak.records import FINAL

if TYPE_CHECKING:
    from tests.soak.comparing import Result

PREFIX = "lamplighter-local-"
SETTLE = 180.0
"""Maximum seconds until the workers have handled all messages, and the schedule what was due."""
WORKING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")

Item = dict[str, Any]


def _client(facts: Mapping[str, Any], service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=facts["aws_endpoint"],
        aws_access_key_id=facts["aws_access_key_id"],
        aws_secret_access_key=facts["aws_secret_access_key"],
        region_name=REGION,
    )


async def settled(facts: Mapping[str, Any]) -> None:
    """Wait until the queues are empty and the schedule has nothing left to do."""
    await asyncio.to_thread(_settled, facts)


def _settled(facts: Mapping[str, Any]) -> None:
    end = time.monotonic() + SETTLE
    while time.monotonic() < end and (_messages(facts, dead=False) or _left(facts)):
        time.sleep(1)


def _messages(facts: Mapping[str, Any], *, dead: bool) -> dict[str, int]:
    """The messages in queues that are not empty: those for workers, or those that workers gave up."""
    sqs = _client(facts, "sqs")
    found = {}
    for url in sqs.list_queues(QueueNamePrefix=PREFIX).get("QueueUrls", []):
        name = url.rpartition("/")[2].removeprefix(PREFIX)
        numbers = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(WORKING))["Attributes"]
        count = sum(map(int, numbers.values()))
        if count and name.endswith("-dead") == dead:
            found[name] = count
    return found


def _left(facts: Mapping[str, Any]) -> list[str]:
    """The keys of what the schedule still has to do: due entries, connections and sessions. At rest nothing is left."""
    dynamodb = _client(facts, "dynamodb")
    rows = [item["pk"] for item in _items(dynamodb, "deployments") if "due_sk" in item]
    rows += [item["pk"] for item in _items(dynamodb, "integrations") if "due_sk" in item]
    links = _items(dynamodb, "deviceconnect")
    return rows + [item["pk"] for item in links if {"due_sk", "endpoint"} & set(item) and "ended" not in item]


def _items(dynamodb: Any, table: str) -> Iterator[Item]:
    read = TypeDeserializer().deserialize
    for page in dynamodb.get_paginator("scan").paginate(TableName=PREFIX + table, ConsistentRead=True):
        for raw in page["Items"]:
            yield {name: _plain(read(value)) for name, value in raw.items()}


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, Binary) else value


def _blob(value: bytes | None) -> Any:
    return None if value is None else BlobAttribute().deserialize(value)


def walk(facts: Mapping[str, Any], result: Result) -> None:
    """Check everything of the first tenant, which is the only one."""
    dynamodb = _client(facts, "dynamodb")
    names = [name for name in dynamodb.list_tables()["TableNames"] if name.startswith(PREFIX)]
    tables = {name.removeprefix(PREFIX): list(_items(dynamodb, name.removeprefix(PREFIX))) for name in names}
    result.compared["stored items"] = sum(map(len, tables.values()))
    tenant = f"T#{facts['tenant_id']}"
    walked = Walk(tenant, tables, result)
    walked.deployments()
    walked.devices()
    walked.groups()
    walked.artifacts(_client(facts, "s3"))
    walked.connections()
    for queue, count in _messages(facts, dead=True).items():
        result.note("messages", f"{count} in {queue}", right=False)
    for queue, count in _messages(facts, dead=False).items():
        result.note("messages", f"{count} were not handled in {queue}", right=False)


class Walk:
    """The checks of one tenant."""

    def __init__(self, tenant: str, tables: dict[str, list[Item]], result: Result) -> None:
        self.tenant, self.tables, self.note = tenant, tables, result.note
        self.heads = {_last(item["pk"]): item for item in tables["fleet"] if item["sk"] == "HEAD"}
        self.open: dict[str, Item] = {}
        self.stored: dict[str, Item] = {}
        """Deployments by id."""
        self.rows: dict[tuple[str, str], Item] = {}

    def deployments(self) -> None:
        """Deployments, their rows, counters, locks and due entries."""
        parts: defaultdict[str, list[Item]] = defaultdict(list)
        locks: dict[str, str] = {}
        totals: Item = {}
        for item in self.tables["deployments"]:
            kind = item["pk"].removeprefix(self.tenant).split("#")[1:2]
            if kind == ["P"]:
                parts[_last(item["pk"])].append(item)
            elif kind == ["X"]:
                locks[_last(item["pk"])] = item["deployment"]
            elif item["sk"] == "COUNTS":
                totals = item
        for id, items in parts.items():
            found = next((item for item in items if item["sk"] == "DEPLOYMENT"), None)
            what = f"{id}: {[item['sk'] for item in items]}"
            self.note("parts of deployments", what, right=found is not None)
            if found is not None:
                self.stored[id] = found
                if "finished" not in found:
                    self.open[id] = found
                self._one(id, found, items, locks)
        for lock, id in locks.items():
            self.note("locks of deployments", f"{lock}: {id} is not open", right=id in self.open)
        numbers = int(totals.get("total", 0)), int(totals.get("open", 0))
        wanted = len(self.stored), len(self.open)
        self.note("totals of deployments", f"{numbers} instead of {wanted}", right=numbers == wanted)
        control = next(item for item in self.tables["fleet"] if item["sk"] == "CONTROL" and item["pk"] == self.tenant)
        pages = [item for item in self.tables["fleet"] if item["pk"] == self.tenant and item["sk"].startswith("OPEN#")]
        counts = [(int(item["n"]), len(item["open"])) for item in pages]
        self.note(
            "pages of open deployments", f"{counts} (n, deployments)", right=all(n == is_in > 0 for n, is_in in counts)
        )
        paged = int(control.get("paged", 0))
        right = paged == sum(n for n, _ in counts)
        self.note("pages of open deployments", f"the control item says {paged} of {counts}", right=right)
        listed = set(control.get("open", {})).union(*(item["open"] for item in pages))
        wanted_open = {id for id, item in self.open.items() if not item["on_heads"]}
        self.note("open deployments", f"{sorted(listed ^ wanted_open)} differ", right=listed == wanted_open)

    def _one(self, id: str, item: Item, items: list[Item], locks: dict[str, str]) -> None:
        rows = [each for each in items if each["sk"].startswith("ROW#")]
        counters = [each for each in items if each["sk"].startswith("COUNTER#")]
        self.rows |= {(id, _last(row["sk"])): row for row in rows}
        self._counters(id, item, rows, counters)
        if room := next((each for each in items if each["sk"] == "ROOM"), None):
            last = len(_blob(item.get("phases")) or ()) - 1
            begun = sum(row.get("phase") is not None and int(row["phase"]) < last for row in rows)
            counted = int(room["begun"])
            self.note("counters", f"{id}: {counted} have begun, not {begun}", right=counted == begun)
        is_open = id in self.open
        state = f"{self.tenant}#{'OPEN' if is_open else 'FINISHED'}"
        self.note("index of deployments", f"{id}: {item['state_pk']}, not {state}", right=item["state_pk"] == state)
        self.note("locks of deployments", f"{id} has none", right=(locks.get(item["lock"]) == id) or not is_open)
        self.note("due entries", f"{id} is finished and due", right=is_open or "due_sk" not in item)
        for row in rows:
            final = row["status"] in FINAL or not is_open
            who = _last(row["sk"])
            self.note("due entries", f"{id}, {who} has ended and is due", right=not final or "due_sk" not in row)
            place = f"{RANK[Status(row['status'])]:02d}#{who}"
            self.note("index of rows", f"{id}, {who}: {row['state_sk']}, not {place}", right=row["state_sk"] == place)

    def _counters(self, id: str, item: Item, rows: list[Item], counters: list[Item]) -> None:
        wanted: Counter[str] = Counter(f"n_{row['status'].replace('-', '_')}" for row in rows)
        wanted["rows"] = len(rows)
        wanted["done"] = sum(row["status"] in FINAL for row in rows)
        names = {name for each in counters for name in each if name.startswith("n_")} | set(wanted)
        for name in sorted(names):
            counted = sum(int(each.get(name, 0)) for each in counters)
            self.note("counters", f"{id}: {name} is {counted}, not {wanted[name]}", right=counted == wanted[name])
        phases = [
            sum(map(int, numbers)) for numbers in zip(*(each.get("phases") or () for each in counters), strict=True)
        ]
        for index, counted in enumerate(phases):
            begun = sum(row.get("phase") == index for row in rows)
            self.note("counters", f"{id}: phase {index} counts {counted}, not {begun}", right=counted == begun)
        complete = sum(int(each["last"]) == -1 or "complete" in each for each in counters)
        self.note(
            "counters",
            f"{id}: complete is {item['complete']}, not {complete}",
            right=int(item["complete"]) == complete or "aborted" in item,
        )
        ended = "aborted" in item or complete == len(counters)
        self.note(
            "counters", f"{id}: ended, but not finished, or finished too early", right=ended == ("finished" in item)
        )

    def devices(self) -> None:
        """Devices: authentication, head, inventory and roster belong together; heads point to what exists."""
        known = {item["device_id"]: item for item in self.tables["devauth"] if item["sk"] == "DEVICE"}
        inventory = {_last(item["pk"]): item for item in self.tables["inventory"] if item["sk"] == "INVENTORY"}
        roster = {item["sk"] for item in self.tables["fleet"] if item["pk"].startswith(f"{self.tenant}#R#")}
        for id in known.keys() | self.heads.keys() | inventory.keys():
            have = [
                name
                for name, items in (("devauth", known), ("head", self.heads), ("inventory", inventory))
                if id in items
            ]
            self.note("devices", f"{id} is only in {have}", id, right=len(have) == 3)
        accepted = {id for id, item in known.items() if item["status"] == "accepted"}
        self.note("roster", f"{sorted(roster ^ accepted)} differ", right=roster == accepted)
        self._counts(known)
        for id, item in known.items():
            head = self.heads.get(id, {})
            said = item["status"], head.get("auth_status"), inventory.get(id, {}).get("status")
            self.note("statuses of devices", f"{id}: {said}", id, right=len(set(said)) == 1)
            self._head(id, head)
        for id, item in inventory.items():
            group = item.get("group"), self.heads.get(id, {}).get("group")
            self.note("groups of devices", f"{id}: {group}", id, right=group[0] == group[1])

    def _counts(self, known: dict[str, Item]) -> None:
        wanted = Counter(item["status"] for item in known.values())
        counted: Counter[str] = Counter()
        sets = {item["id"] for device in known.values() for item in _blob(device["sets"])}
        linked = set()
        for item in self.tables["devauth"]:
            if item["pk"] == f"{self.tenant}#COUNTS":
                if item["sk"].startswith("ACCEPTED"):
                    counted["accepted"] += int(item.get("n", 0))
                for status in ("noauth", "pending", "preauthorized", "rejected"):
                    counted[status] += int(item.get(status, 0))
            elif item["sk"] == "SET":
                linked.add(_last(item["pk"]))
        right = {status: count for status, count in counted.items() if count} == dict(wanted)
        self.note("numbers of devices", f"{dict(counted)} instead of {dict(wanted)}", right=right)
        self.note("auth sets", f"{sorted(linked ^ sets)} differ", right=linked == sets)

    def _head(self, id: str, head: Item) -> None:
        current = _blob(head.get("current"))
        if current is not None:
            row = self.rows.get((current["d"], id))
            what = f"{id}: {current}, the row: {row and row['status']}"
            self.note("active rows of heads", what, id, right=row is not None and row["status"] == current["s"])
        for _, deployment in _blob(head.get("queue")) or ():
            self.note("queues of heads", f"{id}: {deployment} does not exist", id, right=deployment in self.stored)
        for (deployment, device), row in self.rows.items():
            if device == id and deployment in self.open and row["status"] not in FINAL:
                right = current is not None and current["d"] == deployment
                self.note(
                    "active rows of heads", f"{id}: {deployment} is active, the head has {current}", id, right=right
                )

    def groups(self) -> None:
        """Members and numbers of static groups."""
        members: defaultdict[str, set[str]] = defaultdict(set)
        numbers: dict[str, int] = {}
        for item in self.tables["fleet"]:
            if item["pk"].startswith(f"{self.tenant}#G#"):
                members[_last(item["pk"])].add(item["sk"])
            elif item["pk"] == f"{self.tenant}#GROUPS":
                numbers[item["sk"]] = int(item["members"])
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for id, head in self.heads.items():
            if "group" in head:
                wanted[head["group"]].add(id)
        self.note("members of groups", f"{dict(members)} instead of {dict(wanted)}", right=members == wanted)
        counted = {group: len(devices) for group, devices in wanted.items()}
        self.note("numbers of groups", f"{numbers} instead of {counted}", right=numbers == counted)

    def artifacts(self, s3: Any) -> None:
        """Artifacts, their objects, releases, and totals."""
        artifacts = {_last(item["pk"]): item for item in self.tables["artifacts"] if item["sk"] == "ARTIFACT"}
        uploads = {item["key"] for item in self.tables["artifacts"] if item["sk"] == "UPLOAD"}
        usage: Item = next((item for item in self.tables["artifacts"] if item["sk"] == "USAGE"), {})
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=f"{PREFIX}artifacts")
        objects = {each["Key"]: int(each["Size"]) for page in pages for each in page.get("Contents", ())}
        for id, item in artifacts.items():
            size = objects.get(item["key"])
            self.note(
                "objects of artifacts", f"{id}: {size} bytes, not {item['size']}", right=size == int(item["size"])
            )
        kept = {item["key"] for item in artifacts.values()} | uploads
        lost = [key for key in objects if "/artifacts/" in f"/{key}" and key not in kept]
        self.note("objects of artifacts", f"{lost} belong to nothing", right=not lost)
        totals = int(usage.get("stored", 0)), int(usage.get("artifact_count", 0))
        wanted = sum(int(item["size"]) for item in artifacts.values()), len(artifacts)
        self.note("storage", f"{totals} instead of {wanted}", right=totals == wanted)
        held = Counter(item["artifact_name"] for item in self.open.values())
        for item in self.tables["artifacts"]:
            if item["sk"] == "RELEASE":
                said, count = set(_blob(item["artifacts"])), int(item.get("open_deployments", 0))
                mine = {id for id, each in artifacts.items() if each["name"] == item["name"]}
                self.note("releases", f"{item['name']}: {sorted(said ^ mine)} differ", right=said == mine)
                self.note("releases", f"{item['name']}: in {count} open deployments", right=count == held[item["name"]])

    def connections(self) -> None:
        """No connection and no running session is left when everybody has hung up."""
        for item in self.tables["deviceconnect"]:
            if item["sk"] == "CONNECTION":
                self.note("websockets", f"{item['pk']} of {item['device']} is left", right=False)
            elif item["sk"] == "STATE":
                self.note(
                    "websockets", f"{item['pk']} is connected or due", right=not {"connection", "due_sk"} & set(item)
                )
            elif item["sk"] == "SESSION":
                self.note("sessions", f"{item['pk']} has not ended", right="ended" in item)


def _last(key: str) -> str:
    return key.rpartition("#")[2]
