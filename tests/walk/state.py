"""Everything that is stored of a tenant, to see what a call changed."""

from __future__ import annotations

from typing import Any

from infra.manage import contents

State = dict[tuple[str, str], Any]


def state(tenant: str) -> State:
    """Everything that is stored of a tenant."""
    rows: State = {(each.table, each.key): each.item for each in contents.items(tenant)}
    return rows | {("bucket", each["Key"]): each["VersionId"] for each in contents.objects(tenant)}


def changed(before: State, after: State) -> list[str]:
    """What is not as it was, in words."""
    return [
        f"{key}: {before.get(key)} -> {after.get(key)}" for key in before | after if before.get(key) != after.get(key)
    ]
