"""Helpers for tests of acceptance rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

ACCEPTANCE = "/api/management/v2/devauth/acceptance"
RULES = f"{ACCEPTANCE}/rules"
IDENTITIES = f"{ACCEPTANCE}/identities"
PREVIEW = f"{ACCEPTANCE}/preview"
AUDIT = "/api/management/v1/auditlogs/logs"


def pattern(**more: Any) -> dict[str, Any]:
    """A rule for devices whose serial number begins with ``a``."""
    return {"name": "by serial", "type": "pattern", "pattern": {"serial": "a*"}} | more


def create(api: httpx2.Client, rule: dict[str, Any]) -> str:
    """Create a rule; returns its id."""
    answer = api.post(RULES, json=rule)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].rsplit("/", 1)[-1]


def upload(api: httpx2.Client, *lines: str) -> dict[str, Any]:
    """Preregister the identities of a CSV file."""
    answer = api.post(IDENTITIES, content="\n".join(lines), headers={"Content-Type": "text/csv"})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def rule(api: httpx2.Client, rule_id: str) -> dict[str, Any]:
    """A rule as the API shows it."""
    found: list[dict[str, Any]] = api.get(RULES).json()
    return next(each for each in found if each["id"] == rule_id)
