"""Counter items: the numbers of a deployment's rows, and how many devices may begin.

A deployment has one or several counter items, each for a share of its devices, so that reports seldom conflict. A large
deployment is divided into parts with partitions of their own; the first device of a part creates its counter.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.deployments.rules import gates
from chalicelib.deployments.rules.statistics import NONE, Counts, PhaseResults
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.tables import records
from chalicelib.deployments.tables.items import (
    NEVER,
    CounterItem,
    RoomItem,
    counter_key,
    counter_of,
    counter_ref,
    counts_key,
    deployment_of,
    deployment_pk,
    number_of,
    room_ref,
    table,
)
from chalicelib.storage.parallel import in_parallel
from chalicelib.storage.writes import Check, Update
from chalicelib.storage.writes import number as typed_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.tables.records import CounterRecord
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction
    from chalicelib.storage.writes import Write

Stored = dict[str, Any]
"""A stored item in DynamoDB's typed form, as a failed condition returns it."""


class Loan(msgspec.Struct, frozen=True):
    """Capacity that one part of a large deployment gets from another one, which has not used it."""

    number: int
    """The number of devices."""
    donor: int
    """The part that lends it."""
    creates: bool
    """Whether the donor has no counter item yet, since none of its devices has begun."""


# --- reads ----------------------------------------------------------------------------------------


def read(tenant: TenantId, plans: Iterable[Plan], *, recent: bool = False) -> dict[str, Counts]:
    """The summed counters of each deployment (strongly consistent); 100 counter items per round trip.

    With ``recent`` eventually consistent, for half the price.
    """
    return _sums(records.counters.find_many(table(), _keys(tenant, plans), recent=recent))


def of(tenant: TenantId, plan: Plan, *, recent: bool = False) -> Counts:
    """As :func:`read`, of one deployment."""
    return read(tenant, [plan], recent=recent).get(plan.id, NONE)


def read_with_totals(tenant: TenantId, plans: Iterable[Plan]) -> tuple[dict[str, Counts], tuple[int, int]]:
    """As :func:`read` with ``recent``, and ``deployments.read_totals`` in the same round trip."""
    totals = counts_key(tenant)
    found = records.counters.find_many(table(), [totals, *_keys(tenant, plans)], recent=True)
    numbers = next(((each.total, each.open) for each in found if each.pk == totals[0]), (0, 0))
    return _sums(each for each in found if each.pk != totals[0]), numbers


def _keys(tenant: TenantId, plans: Iterable[Plan]) -> list[tuple[str, str]]:
    return [counter_key(tenant, plan, number) for plan in plans for number in range(plan.shards)]


def _sums(found: Iterable[CounterRecord]) -> dict[str, Counts]:
    by_deployment: dict[str, list[CounterRecord]] = {}
    for item in found:
        by_deployment.setdefault(deployment_of(item.pk), []).append(item)
    return {deployment: _sum(items) for deployment, items in by_deployment.items()}


def by_part(tenant: TenantId, plan: Plan) -> dict[int, Counts]:
    """The counters of each part of a large deployment that has any; of another one, all as part 0."""
    if not plan.parts:
        return {0: of(tenant, plan)}
    return {part: _sum([item]) for part, item in sorted(_parts(tenant, plan).items())}


def _parts(tenant: TenantId, plan: Plan) -> dict[int, CounterRecord]:
    wanted = [counter_key(tenant, plan, part) for part in range(plan.parts)]
    found = records.counters.find_many(table(), wanted)
    return {int(item.pk[-2:], 16): item for item in found}


def _sum(items: list[CounterRecord]) -> Counts:
    """Several counter items as one."""
    numbers = map(sum, zip(*map(_numbers, items), strict=True))
    return Counts(
        rows=sum(item.rows for item in items),
        by_status=dict(zip(_STATUSES, numbers, strict=True)),
        total_size=sum(item.total_size for item in items),
        phases=_by_phase(item.phases for item in items),
        results=tuple(
            map(
                PhaseResults,
                _by_phase(item.succeeded for item in items),
                _by_phase(item.failed for item in items),
                _by_phase(item.left for item in items),
            )
        ),
    )


def _by_phase(numbers: Iterable[list[int] | None]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*filter(None, numbers), strict=True)))


_STATUSES = tuple(Status)
_numbers = attrgetter(*map(counter_of, Status))
"""The number of rows in each status."""


def read_begun(tenant: TenantId, plans: Iterable[Plan]) -> dict[str, int]:
    """How many devices have begun in each of the deployments that limit this number, by id; 100 per round trip."""
    bounded = [plan for plan in plans if plan.is_bounded]
    wanted = [(deployment_pk(tenant, plan.id), "ROOM") for plan in bounded if not plan.parts]
    found = RoomItem.batch_get(wanted) if wanted else ()
    divided = read(tenant, (plan for plan in bounded if plan.parts), recent=True)
    return {deployment_of(item.pk): item.begun for item in found} | {
        deployment: counts.rows for deployment, counts in divided.items()
    }


def begun_by_part(tenant: TenantId, plan: Plan) -> dict[int, int]:
    """``begun`` of each part of a large deployment that has a counter item (each strongly consistent)."""
    return {part: item.begun for part, item in _parts(tenant, plan).items()}


# --- writes ---------------------------------------------------------------------------------------


def create(tx: Transaction, tenant: TenantId, plan: Plan, last: Sequence[int]) -> None:
    """Add the counter items of a new deployment that is not large, with their ``last``."""
    for number, each in enumerate(last):
        item = counter_ref(tenant, plan, number)
        item.last = each
        begin_phases(item, plan)
        tx.put(item, label="counter")


def begin_phases(item: CounterItem, plan: Plan) -> None:
    """Set the numbers of each phase to 0."""
    item.phases = [0] * len(plan.phases) or None
    if plan.counts_results:
        for name in gates.RESULTS:
            setattr(item, name, [0] * len(plan.phases))


def create_room(tx: Transaction, tenant: TenantId, deployment: str) -> None:
    """Add the item that limits the number of devices, unless devices that left before an approval have added it."""
    tx.update(room_ref(tenant, deployment), [RoomItem.begun.add(0)], label="room")


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of a change of a row on its counter item."""

    before: Status | None
    """The status in which the row was counted; None: it was not."""
    after: Status
    is_new: bool
    """Whether the row is counted for the first time."""
    begins: bool
    """Whether a device begins, which it may not while the deployment is paused; maybe again, without its history."""
    size: int
    """Additional bytes that the deployment serves."""
    phase: int | None
    """The phase in which the row begins or has begun."""
    upto: int | None
    """The number of devices that may have begun, including this one; None: no limit."""

    @property
    def resumes(self) -> bool:
        """Whether the row had a final status, and the device has resumed it."""
        return self.before is not None and self.before.final and not self.after.final

    @property
    def finishes(self) -> bool:
        """Whether the change makes the status final."""
        return self.after.final and not (self.before is not None and self.before.final)

    def of_phase(self, plan: Plan) -> Iterator[tuple[str, int, int]]:
        """The numbers of its phase that change: the attribute, the phase, and what is added."""
        if self.phase is None or not plan.phases:
            return
        if self.is_new:
            yield "phases", self.phase, 1
        before, after = gates.result_of(self.before), gates.result_of(self.after)
        if plan.counts_results and before != after:
            for name, amount in ((before, -1), (after, 1)):
                if name is not None:
                    yield name, self.phase, amount

    def numbers(self) -> dict[str, int]:
        """The attributes that change, with what is added."""
        added: dict[str, int] = {}
        for name, amount in (
            (counter_of(self.after), 1),
            (counter_of(self.before), -1) if self.before is not None else ("rows", 0),
            ("rows", int(self.is_new)),
            ("done", int(self.after.final) - int(self.before is not None and self.before.final)),
            ("total_size", self.size),
        ):
            added[name] = added.get(name, 0) + amount
        return {name: amount for name, amount in added.items() if amount}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What the counting of a change does beyond its numbers. A failed attempt shows what the next one must do."""

    completes: bool = False
    """Whether the change is the last one of its counter item."""
    closes: bool = False
    """Whether that is the last counter item, so the deployment ends."""
    reopens: bool = False
    """Whether its counter item was complete, and is not any more."""
    creates: bool = False
    """Whether it creates the counter item of its part."""
    loan: Loan | None = None
    """Capacity that its part gets from another one."""


def count(tx: Transaction, tenant: TenantId, plan: Plan, device_id: str, delta: Delta, step: Step) -> None:
    """Count a change of a row; fails with label ``counter``.

    A change that finishes a row and would complete the counter item fails unless ``step`` completes it; so exactly one
    change learns that it is the last one.
    """
    number = number_of(plan, device_id)
    if step.creates:
        tx.put(_first(tenant, plan, number, delta, step), CounterItem.pk.does_not_exist(), label="counter")
        return
    key = counter_key(tenant, plan, number)
    update = Update(table(), *key)
    for name, amount in delta.numbers().items():
        update.add(name, amount)
    if step.completes:
        update.set("complete", {"BOOL": True})
    elif step.reopens:
        update.remove("complete")
    for name, phase, amount in delta.of_phase(plan):
        update.add_at(name, phase, amount)
    begun = _begun(plan, delta, step)
    if begun:
        update.add("begun", begun)
    # Even if nothing is counted: a closed counter prevents changes after an abort.
    write: Write = update if update.changes_something else Check(table(), *key)
    _require(write, plan, number, delta, step)
    tx.write(write, label="counter")


def _require(write: Write, plan: Plan, number: int, delta: Delta, step: Step) -> None:
    """Add the conditions of a change to the write of its counter item."""
    write.require("attribute_not_exists(#closed)")
    if delta.begins:
        write.require("attribute_not_exists(#held)")
    if delta.resumes:
        write.require("attribute_exists(#complete)" if step.reopens else "attribute_not_exists(#complete)")
    if step.completes:
        write.require("attribute_not_exists(#complete) AND #done = #last")
    elif delta.finishes:
        write.require("(attribute_exists(#complete) OR #done < #last)")
    if plan.parts:
        write.require("attribute_exists(#pk)")
        if delta.upto is not None and step.loan is None:
            write.require("#begun < :share", share=typed_number(plan.share(number, delta.upto)))


def _begun(plan: Plan, delta: Delta, step: Step) -> int:
    """What a change adds to ``begun`` of its part."""
    if not plan.parts:
        return 0
    if step.loan is not None:
        return 1 - step.loan.number
    return 0 if delta.upto is None else 1


def _first(tenant: TenantId, plan: Plan, number: int, delta: Delta, step: Step) -> CounterItem:
    """The counter item of a part that counts its first device."""
    item = counter_ref(tenant, plan, number)
    item.last = last_of_part(plan, number)
    for name, amount in delta.numbers().items():
        setattr(item, name, amount)
    begin_phases(item, plan)
    for name, phase, amount in delta.of_phase(plan):
        getattr(item, name)[phase] = amount
    item.complete = step.completes or None
    if delta.upto is not None:
        item.begun = 1 - (step.loan.number if step.loan is not None else 0)
    return item


def last_of_part(plan: Plan, part: int) -> int:
    """``last`` of the counter item of a part."""
    return NEVER if plan.part_sizes is None else plan.part_sizes[part] - 1


def has_one_device(plan: Plan, device_id: str) -> bool:
    """Whether a device is the only target in its part of a large deployment."""
    return last_of_part(plan, number_of(plan, device_id)) == 0


def count_begun(tx: Transaction, tenant: TenantId, plan: Plan, upto: int, loan: Loan | None) -> None:
    """Count a device that begins; fails with label ``room`` if ``upto`` have begun.

    The parts of a large deployment count on their own. Only a loan changes something here: the counter of the donor.
    """
    if not plan.parts:
        room = Update(table(), deployment_pk(tenant, plan.id), "ROOM").add("begun", 1)
        has_room = "(attribute_not_exists(#begun) OR #begun < :upto)"
        tx.write(room.require(has_room, upto=typed_number(upto)), label="room")
    elif loan is not None:
        donor = counter_ref(tenant, plan, loan.donor)
        if loan.creates:
            donor.last, donor.begun = last_of_part(plan, loan.donor), loan.number
            begin_phases(donor, plan)
            tx.put(donor, CounterItem.pk.does_not_exist(), label="room")
            return
        unused = CounterItem.begun <= plan.share(loan.donor, upto) - loan.number
        tx.update(donor, [CounterItem.begun.add(loan.number)], unused, label="room")


def is_missing(failed: Mapping[str, Stored | None]) -> bool:
    """Whether a change failed because the part's counter does not exist yet."""
    return "counter" in failed and failed["counter"] is None


def is_closed(stored: Stored) -> bool:
    """Whether a stored counter item that failed a condition was closed by an abort."""
    return "closed" in stored


def is_held(stored: Stored) -> bool:
    """Whether a stored counter item that failed a condition belongs to a paused deployment."""
    return "held" in stored


def is_full(plan: Plan, device_id: str, upto: int, stored: Stored) -> bool:
    """Whether the stored counter item of the device's part, which failed a condition, has no capacity left."""
    return int(stored["begun"]["N"]) >= plan.share(number_of(plan, device_id), upto)


def has_share(plan: Plan, device_id: str, upto: int) -> bool:
    """Whether a device may begin in its part, of which no device has begun yet."""
    return plan.share(number_of(plan, device_id), upto) > 0


def is_complete(stored: Stored) -> bool:
    """Whether all devices of a stored counter item that failed a condition have a final status."""
    return "complete" in stored


def is_last(stored: Stored) -> bool:
    """Whether a stored counter item that failed a condition waits for one more final status."""
    return "complete" not in stored and stored["done"]["N"] == stored["last"]["N"]


def close(tx: Transaction, tenant: TenantId, plan: Plan) -> None:
    """Close the counter items of a deployment that is not large: its rows no longer change."""
    for number in range(plan.shards):
        counter = counter_ref(tenant, plan, number)
        tx.update(counter, [CounterItem.closed.set(True)], CounterItem.pk.exists(), label="counter")


def close_parts(tenant: TenantId, plan: Plan) -> None:
    """Close all parts of a large deployment, also those without a counter. Can be run again."""

    def close_one(part: int) -> None:
        counter_ref(tenant, plan, part).update([CounterItem.closed.set(True)])

    in_parallel(close_one, range(plan.parts))
