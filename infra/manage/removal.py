"""``manage tenant remove``, ``verify-removed`` and ``export``: removes a tenant, or exports its data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec

from infra.manage.cli import Exit, Result, command
from infra.manage.tenants import tenant

_PRIVATE = 0o600


@command(tenant, "remove")
@click.argument("id")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def remove(id: str, *, yes: bool) -> Result:
    """Remove the tenant ID and erase all its data. This cannot be undone.

    The server's worker begins at once. The tenant's own record is deleted last, some minutes later
    (LAMPLIGHTER_REMOVAL_SETTLE). `tenant verify-removed ID` shows when nothing is left.
    """
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm import service

    found = service.get_tenant(TenantId(id))
    if not yes:
        click.confirm(f"Erase all devices, artifacts, deployments and users of {found.name}?", abort=True, err=True)
    service.start_removal(found.id)
    return Result(id, {"id": id, "status": "removing"})


@command(tenant, "verify-removed")
@click.argument("id")
def verify_removed(id: str) -> Result:
    """Count what is left of the tenant ID anywhere; exit code 4 if there is anything.

    Reads all tables and the bucket. Audit entries are counted separately, because they cannot be deleted and expire by
    themselves.
    """
    from infra.manage import contents

    left = contents.left(id)
    kept = sum(found.table == "auditlogs" and contents.own(id, found) for found in contents.items(id))
    document = {"left": sum(left.values()), "by_place": left, "audit_entries_until_they_expire": kept}
    lines = [f"left: {document['left']}", *(f"  {place}: {count}" for place, count in sorted(left.items()))]
    lines.append(f"audit entries, until they expire: {kept}")
    return Result("\n".join(lines), document, Exit.REFUSED if document["left"] else 0)


@command(tenant, "export")
@click.argument("id")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def export(id: str, file: Path) -> Result:
    """Write all data of the tenant ID to FILE, one JSON document per line; objects of the bucket by name only.

    For data requests. Password hashes, tokens and other secrets are omitted. FILE is readable by you only.
    """
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm import service
    from infra.manage import contents

    service.get_tenant(TenantId(id))
    counts: Counter[str] = Counter()
    file.touch(_PRIVATE)
    file.chmod(_PRIVATE)
    with file.open("wb") as out:
        for found in contents.items(id):
            if contents.own(id, found):
                out.write(msgspec.json.encode(contents.exported(found)) + b"\n")
                counts[found.table] += 1
        for each in contents.objects(id):
            document = {"object": each["Key"], "version": each["VersionId"], "size": each.get("Size")}
            out.write(msgspec.json.encode(document) + b"\n")
            counts["bucket"] += 1
    return Result("\n".join(f"{place}: {count}" for place, count in sorted(counts.items())), dict(counts))
