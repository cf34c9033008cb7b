"""``manage tenant ...``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from infra.manage.cli import Result, command, manage

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Status, Tenant

_PLANS = ["os", "professional", "enterprise"]


@manage.group()
def tenant() -> None:
    """Tenants: create, show, limit, suspend, remove."""


def _limit_options(run: Callable[..., Result]) -> Callable[..., Result]:
    for name, text in (
        ("--storage-limit", "Bytes of artifacts; 0: no limit."),
        ("--max-system-devices", "Most accepted devices of tier system; -1: no limit."),
        ("--max-micro-devices", "Most accepted devices of tier micro; -1: no limit."),
        ("--max-devices", "Most accepted devices of tier standard; -1: no limit."),
    ):
        run = click.option(name, type=int, help=text)(run)
    return run


@command(tenant, "create")
@click.argument("name")
@click.option("--plan", type=click.Choice(_PLANS), default="enterprise", show_default=True, help="The tenant's plan.")
@click.option("--service-provider", is_flag=True, help="The tenant may have child tenants.")
@_limit_options
def create(name: str, plan: str, *, service_provider: bool, **limits: int | None) -> Result:
    """Create a tenant named NAME and print its id. Limits that are not given are unlimited."""
    from chalicelib.tenantadm import service

    made = service.create_tenant(
        name,
        plan=plan,
        service_provider=service_provider,
        max_devices=_or(limits.pop("max_devices"), -1),
        storage_limit=_or(limits.pop("storage_limit"), 0),
    )
    if any(value is not None for value in limits.values()):
        service.set_limits(made.id, **limits)
    return _changed(made.id)


def _or(given: int | None, default: int) -> int:
    return default if given is None else given


@command(tenant, "show")
@click.argument("id")
def show(id: str) -> Result:
    """Show the tenant ID with its tenant token, which devices are set up with, and its settings."""
    from chalicelib.tenantadm import service

    document = _document(service.get_tenant(_id(id)))
    document["settings"] = service.settings(_id(id))[0]
    shown = document | {
        "addons": ", ".join(document["addons"]),
        "settings": ", ".join(f"{name}={_text(value)}" for name, value in document["settings"].items()),
    }
    lines = [f"{name}: {value if isinstance(value, str) else _text(value)}" for name, value in shown.items()]
    return Result("\n".join(lines), document)


@command(tenant, "list")
@click.option("--requests", is_flag=True, help="Only tenants that have requested another plan, with their requests.")
def list_all(*, requests: bool) -> Result:
    """List all tenants, oldest first: id, status, plan, name."""
    from chalicelib.tenantadm import service

    found = [_document(each) for each in service.all_tenants()]
    if requests:
        found = [each for each in found if "plan_request" in each]
        lines = [f"{each['id']}  {each['name']}  {_text(each['plan_request'])}" for each in found]
        return Result("\n".join(lines), found)
    return _listed(found)


@command(tenant, "children")
@click.argument("id")
def children(id: str) -> Result:
    """List the children of the service provider ID, oldest first."""
    from chalicelib import limits
    from chalicelib.tenantadm import service

    return _listed([_document(each) for each in service.list_children(_id(id), 0, limits.TENANT_CHILDREN)[0]])


def _listed(found: list[dict[str, Any]]) -> Result:
    lines = [f"{each['id']}  {each['status']}  {each['plan']}  {each['name']}" for each in found]
    return Result("\n".join(lines), found)


@command(tenant, "suspend")
@click.argument("id")
def suspend(id: str) -> Result:
    """Suspend the tenant ID: its users and devices are refused until it is activated. Nothing is deleted."""
    from chalicelib.tenantadm.service import Status

    return _set_status(id, Status.SUSPENDED)


@command(tenant, "activate")
@click.argument("id")
def activate(id: str) -> Result:
    """Activate the tenant ID again. This also withdraws a cancellation, as long as the data exist."""
    from chalicelib.tenantadm.service import Status

    return _set_status(id, Status.ACTIVE)


def _set_status(id: str, status: Status) -> Result:
    from chalicelib.tenantadm import service

    service.set_status(_id(id), status)
    return _changed(_id(id))


@command(tenant, "set-limits")
@click.argument("id")
@_limit_options
def set_limits(id: str, **limits: int | None) -> Result:
    """Change limits of the tenant ID; others are kept."""
    from chalicelib.tenantadm import service

    if all(value is None for value in limits.values()):
        raise click.UsageError(
            "give --max-devices, --storage-limit or both, or the limit of another tier (see tenant set-limits --help)"
        )
    service.set_limits(_id(id), **limits)
    return _changed(_id(id))


@command(tenant, "plan")
@click.argument("id")
@click.argument("plan", type=click.Choice(_PLANS))
def plan(id: str, plan: str) -> Result:
    """Set the plan of the tenant ID. Its request for another plan counts as answered."""
    from chalicelib.tenantadm import service

    service.set_plan(_id(id), plan=plan)
    return _changed(_id(id))


@command(tenant, "addons")
@click.argument("id")
@click.argument("addons", nargs=-1)
def addons(id: str, addons: tuple[str, ...]) -> Result:
    """Enable exactly these ADDONS of the tenant ID: configure, troubleshoot, monitor; without any, disable all."""
    from chalicelib.tenantadm import service

    service.set_plan(_id(id), addons=addons)
    return _changed(_id(id))


@command(tenant, "service-provider")
@click.argument("id")
@click.option("--off", is_flag=True, help="The tenant may no longer have child tenants.")
def service_provider(id: str, *, off: bool) -> Result:
    """Make the tenant ID a service provider, which may have child tenants."""
    from chalicelib.tenantadm import service

    service.set_service_provider(_id(id), enabled=not off)
    return _changed(_id(id))


@command(tenant, "rotate-token")
@click.argument("id")
@click.option(
    "--grace",
    type=click.IntRange(0, 31_536_000),
    default=0,
    show_default=True,
    help="Seconds for which new devices may still use the old token.",
)
def rotate_token(id: str, grace: int) -> Result:
    """Replace the tenant token of the tenant ID and print the new one. Accepted devices are not affected.

    Running processes notice within seconds (LAMPLIGHTER_CONTROL_CACHE).
    """
    from chalicelib.tenantadm import service

    token = service.rotate_token(_id(id), grace=grace)
    return Result(token, _document(service.get_tenant(_id(id))))


@command(tenant, "set")
@click.argument("id")
@click.argument("settings", nargs=-1, required=True, metavar="NAME=VALUE...")
def set_settings(id: str, settings: tuple[str, ...]) -> Result:
    """Change settings of the tenant ID, for example device_timeout=86400; others are kept."""
    from chalicelib.tenantadm import service

    changes = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"{setting}: give NAME=VALUE")
        changes[name] = _value(value)
    service.get_tenant(_id(id))
    document = service.change_settings(_id(id), changes)
    return Result("\n".join(f"{name}={_text(value)}" for name, value in document.items()), document)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _id(id: str) -> TenantId:
    from chalicelib.storage.keys import TenantId

    return TenantId(id)


def _changed(id: TenantId) -> Result:
    from chalicelib.tenantadm import service

    return Result(id, _document(service.get_tenant(id)))


def _document(tenant: Tenant) -> dict[str, Any]:
    from chalicelib.clock import rfc3339

    document = {
        "id": tenant.id,
        "name": tenant.name,
        "status": str(tenant.status),
        "plan": tenant.plan,
        "addons": [addon["name"] for addon in tenant.addons if addon.get("enabled")],
        "max_devices": tenant.devices.standard,
        "max_micro_devices": tenant.devices.micro,
        "max_system_devices": tenant.devices.system,
        "storage_limit": tenant.storage_limit,
        "tenant_token": tenant.tenant_token,
        "created": rfc3339(tenant.created),
        "service_provider": tenant.service_provider,
    }
    times = {"trial_expiration": tenant.trial_expiration, "removal": tenant.removal}
    document |= {name: rfc3339(time) for name, time in times.items() if time is not None}
    if tenant.parent is not None:
        document["parent"] = tenant.parent
    return document | tenant.notes
