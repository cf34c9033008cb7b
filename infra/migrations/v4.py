"""Version 4: the control item has the newest open deployments only, and the others are in pages.

Code of version 3 neither reads nor writes pages. It keeps all open deployments of a tenant in the control item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.migrations.items import Tables

RECENT = 16
"""The number of deployments in a page, and the maximum in the control item."""


def run(tables: Tables, tenant: str) -> int:
    """Move the oldest open deployments of a tenant to pages until the others fit; returns how many items changed."""
    changed = 0
    key = {"pk": {"S": f"T#{tenant}"}, "sk": {"S": "CONTROL"}}
    while control := tables.get("fleet", key):
        opened = sorted(control["open"]["M"].items(), key=lambda each: _sequence(each[1]))
        if len(opened) <= RECENT:
            break
        if _move(tables, key, dict(opened[:RECENT])):
            changed += 2
    return changed


def _sequence(stored: dict[str, Any]) -> int:
    """The sequence number of an open deployment. Later code stores a list of it and of the state of the rollout."""
    return int(stored["N"] if "N" in stored else stored["L"][0]["N"])


def _move(tables: Tables, key: dict[str, Any], moved: dict[str, Any]) -> bool:
    """Move deployments to a new page; False if one of them has ended meanwhile."""
    table = tables.prefix + "fleet"
    first = min(map(_sequence, moved.values()))
    page = {"pk": key["pk"], "sk": {"S": f"OPEN#{first:015d}"}, "open": {"M": moved}, "n": {"N": str(len(moved))}}
    names = {f"#{number}": deployment for number, deployment in enumerate(moved)}
    change = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "REMOVE " + ", ".join(f"#open.{name}" for name in names) + " ADD #revision :one, #paged :n",
        "ConditionExpression": " AND ".join(f"attribute_exists(#open.{name})" for name in names),
        "ExpressionAttributeNames": {**names, "#open": "open", "#revision": "pages_revision", "#paged": "paged"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":n": {"N": str(len(moved))}},
    }
    return tables.transact([{"Put": {"TableName": table, "Item": page}}, {"Update": change}])
