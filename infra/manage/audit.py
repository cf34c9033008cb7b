"""``manage audit ...``."""

from __future__ import annotations

import click

from infra.manage.cli import Exit, Result, command, manage


@manage.group()
def audit() -> None:
    """Audit logs: check that no entry was changed."""


@command(audit, "verify")
@click.argument("id", required=False)
def verify(id: str | None) -> Result:
    """Check the log of the tenant ID, or of all, for entries that were altered, removed or reordered.

    Prints a line for each fault. Otherwise prints the end of each chain: keep these lines, and nobody can rewrite a log
    without your noticing.
    """
    from chalicelib.auditlogs import service
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm import service as tenantadm

    tenants = [tenantadm.get_tenant(TenantId(id))] if id else tenantadm.all_tenants()
    lines, document, damaged = [], [], False
    for tenant in tenants:
        findings = list(service.verify(tenant.id))
        ends = service.ends(tenant.id)
        damaged = damaged or bool(findings)
        lines += [f"{tenant.id}  {finding}" for finding in findings]
        if not findings:
            lines += [f"{tenant.id}  chain {shard}: {number} entries, {end}" for shard, (number, end) in ends.items()]
        chains = [{"chain": shard, "entries": number, "hash": end} for shard, (number, end) in ends.items()]
        document.append({"tenant": tenant.id, "findings": findings, "chains": chains})
    return Result("\n".join(lines), document, Exit.DAMAGED if damaged else 0)
