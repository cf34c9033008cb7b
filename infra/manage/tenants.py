"""``manage tenant ...``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from infra.manage.cli import Result, command, manage

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Status, Tenant


@manage.group()
def tenant() -> None:
    """Tenants: create, show, limit, suspend."""


@command(tenant, "create")
@click.argument("name")
@click.option(
    "--plan",
    type=click.Choice(["os", "professional", "enterprise"]),
    default="enterprise",
    show_default=True,
    help="What the tenant may use.",
)
@click.option("--max-devices", type=int, default=-1, show_default=True, help="Most accepted devices; -1: no limit.")
@click.option("--storage-limit", type=int, default=0, show_default=True, help="Bytes of artifacts; 0: no limit.")
def create(name: str, plan: str, max_devices: int, storage_limit: int) -> Result:
    """Create a tenant called NAME and print its id."""
    from chalicelib.tenantadm import service

    made = service.create_tenant(name, plan=plan, max_devices=max_devices, storage_limit=storage_limit)
    return Result(made.id, _document(made))


@command(tenant, "show")
@click.argument("id")
def show(id: str) -> Result:
    """Show the tenant ID with its tenant token, which devices are set up with."""
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm import service

    document = _document(service.get_tenant(TenantId(id)))
    shown = document | {"addons": ", ".join(document["addons"])}
    return Result("\n".join(f"{name}: {value}" for name, value in shown.items()), document)


@command(tenant, "list")
def list_all() -> Result:
    """List all tenants, oldest first: id, status, plan, name."""
    from chalicelib.tenantadm import service

    found = [_document(each) for each in service.all_tenants()]
    lines = [f"{each['id']}  {each['status']}  {each['plan']}  {each['name']}" for each in found]
    return Result("\n".join(lines), found)


@command(tenant, "suspend")
@click.argument("id")
def suspend(id: str) -> Result:
    """Refuse the tenant ID's users and devices until it is activated; nothing is deleted."""
    from chalicelib.tenantadm.service import Status

    return _set_status(id, Status.SUSPENDED)


@command(tenant, "activate")
@click.argument("id")
def activate(id: str) -> Result:
    """Let the tenant ID's users and devices in again."""
    from chalicelib.tenantadm.service import Status

    return _set_status(id, Status.ACTIVE)


@command(tenant, "set-limits")
@click.argument("id")
@click.option("--max-devices", type=int, help="Most accepted devices; -1: no limit.")
@click.option("--storage-limit", type=int, help="Bytes of artifacts; 0: no limit.")
def set_limits(id: str, max_devices: int | None, storage_limit: int | None) -> Result:
    """Change the limits of the tenant ID; what is not given stays."""
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm import service

    if max_devices is None and storage_limit is None:
        raise click.UsageError("give --max-devices, --storage-limit or both")
    service.set_limits(TenantId(id), max_devices=max_devices, storage_limit=storage_limit)
    return Result(id, _document(service.get_tenant(TenantId(id))))


def _set_status(id: str, status: Status) -> Result:
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm import service

    service.set_status(TenantId(id), status)
    return Result(id, _document(service.get_tenant(TenantId(id))))


def _document(tenant: Tenant) -> dict[str, Any]:
    from chalicelib.clock import rfc3339

    return {
        "id": tenant.id,
        "name": tenant.name,
        "status": str(tenant.status),
        "plan": tenant.plan,
        "addons": [addon["name"] for addon in tenant.addons if addon.get("enabled")],
        "max_devices": tenant.max_devices,
        "storage_limit": tenant.storage_limit,
        "tenant_token": tenant.tenant_token,
        "created": rfc3339(tenant.created),
    }
