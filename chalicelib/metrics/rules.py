"""Computes the numbers from counts, and formats them for Prometheus. Pure functions.

Source: Prometheus, "Exposition formats" (text format 0.0.4) and "Metric and label naming".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from chalicelib.devauth.rules.sets import Status
from chalicelib.metrics.shapes import Accepted, Numbers
from chalicelib.tiers import PerTier, Tier

if TYPE_CHECKING:
    from chalicelib.tiers import Place

MEDIA_TYPE: Final = "text/plain"
CONTENT_TYPE: Final = f"{MEDIA_TYPE}; version=0.0.4; charset=utf-8"

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def by_status(counts: Mapping[Place, int]) -> dict[str, int]:
    """Devices by status, including statuses without devices."""
    return {str(status): sum(counts.get((status, tier), 0) for tier in Tier) for status in Status}


def accepted(counts: Mapping[Place, int], limits: PerTier) -> dict[str, Accepted]:
    """Accepted devices by tier, with the limits."""
    return {str(tier): Accepted(counts.get((Status.ACCEPTED, tier), 0), limits.of(tier)) for tier in Tier}


class Gauge(msgspec.Struct, frozen=True):
    """A gauge: a number for each value of its label, or a single one without a label."""

    name: str
    about: str
    samples: Mapping[str, int]
    label: str = ""


def _single(name: str, about: str, number: int) -> Gauge:
    return Gauge(name, about, {"": number})


def gauges(numbers: Numbers) -> Iterator[Gauge]:
    """The numbers as metrics. A missing limit has no sample, so that no ratio is computed with it."""
    yield Gauge("lamplighter_devices", "Devices by status.", numbers.devices, "status")
    tiers = numbers.accepted_devices
    counts = {tier: each.count for tier, each in tiers.items()}
    yield Gauge("lamplighter_accepted_devices", "Accepted devices by tier.", counts, "tier")
    limits = {tier: each.limit for tier, each in tiers.items() if each.limit >= 0}
    yield Gauge("lamplighter_accepted_devices_limit", "Most accepted devices of a tier.", limits, "tier")
    yield _single("lamplighter_users", "Users.", numbers.users)
    if numbers.deployments is not UNSET:
        deployments = {"unfinished": numbers.deployments.unfinished, "finished": numbers.deployments.finished}
        yield Gauge("lamplighter_deployments", "Deployments, unfinished or finished.", deployments, "status")
    if numbers.artifacts is not UNSET:
        yield _single("lamplighter_artifacts", "Artifacts.", numbers.artifacts)
    if numbers.releases is not UNSET:
        yield _single("lamplighter_releases", "Releases.", numbers.releases)
    if numbers.storage is not UNSET:
        yield _single("lamplighter_storage_bytes", "Bytes of artifacts.", numbers.storage.usage)
        if numbers.storage.limit:
            yield _single("lamplighter_storage_limit_bytes", "Most bytes of artifacts.", numbers.storage.limit)
    if numbers.webhooks is not UNSET:
        yield _single("lamplighter_webhooks", "Webhooks.", numbers.webhooks.count)
        yield _single("lamplighter_webhooks_failing", "Webhooks whose receiver was down.", numbers.webhooks.failing)


def exposition(metrics: Iterable[Gauge]) -> str:
    """Metrics as text, without those that have no samples."""
    return "".join(line + "\n" for metric in metrics if metric.samples for line in _lines(metric))


def _lines(metric: Gauge) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.about}"
    yield f"# TYPE {metric.name} gauge"
    for value, number in metric.samples.items():
        label = f'{{{metric.label}="{value.translate(_ESCAPES)}"}}' if metric.label else ""
        yield f"{metric.name}{label} {number}"
