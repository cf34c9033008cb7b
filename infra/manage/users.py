"""``manage user ...``."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING, Any

import click

from infra.manage.cli import Result, command, manage

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.useradm.service import User


@manage.group()
def user() -> None:
    """Users: create, list, change roles and passwords."""


def _password_options(run: Callable[..., Result]) -> Callable[..., Result]:
    generate = click.option("--generate", is_flag=True, help="Generate a password and show it.")
    given = click.option(
        "--password", help="The password; '-' reads it from standard input. Without it, you are prompted."
    )
    return given(generate(run))


@command(user, "create")
@click.argument("email")
@click.option("--tenant", "tenant_id", required=True, help="Id of the tenant.")
@_password_options
@click.option("--password-hash", help="An argon2id or bcrypt hash from another server, instead of a password.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="A role; may be repeated. Without it, the user is an administrator.",
)
def create(  # the command's options
    email: str,
    tenant_id: str,
    password: str | None,
    password_hash: str | None,
    roles: tuple[str, ...],
    *,
    generate: bool,
) -> Result:
    """Create a user with the address EMAIL and print the user's id."""
    from chalicelib.rights import EVERYTHING
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm import service as tenantadm
    from chalicelib.useradm import service

    tenant = tenantadm.get_tenant(TenantId(tenant_id)).id
    if password_hash is not None:
        if password is not None or generate:
            raise click.UsageError("--password-hash cannot be combined with another password option")
        made = service.create_user(tenant, email, "", password_hash=password_hash, roles=roles, by=EVERYTHING)
        return Result(made.id, _document(made))
    chosen = _password(password, generate=generate)
    made = service.create_user(tenant, email, chosen, roles=roles, by=EVERYTHING)
    return _with_password(made, chosen, shown=generate)


@command(user, "list")
@click.option("--tenant", "tenant_id", required=True, help="Id of the tenant.")
def list_all(tenant_id: str) -> Result:
    """List the tenant's users: id, address, roles."""
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm import service as tenantadm
    from chalicelib.useradm import service

    found = [_document(each) for each in service.list_users(tenantadm.get_tenant(TenantId(tenant_id)).id)]
    return Result("\n".join(f"{each['id']}  {each['email']}  {', '.join(each['roles'])}" for each in found), found)


@command(user, "roles")
@click.argument("email")
@click.argument("roles", nargs=-1, metavar="[ROLE]...")
def roles(email: str, roles: tuple[str, ...]) -> Result:
    """Show the roles of the user with the address EMAIL; with ROLEs, replace them.

    RBAC_ROLE_PERMIT_ALL is the role of administrators.
    """
    from chalicelib.useradm import service

    found = _find(email)
    if roles:
        found = service.set_roles(found.tenant, found.id, roles)
    return Result("\n".join(found.roles), _document(found))


@command(user, "set-password")
@click.argument("email")
@_password_options
def set_password(email: str, password: str | None, *, generate: bool) -> Result:
    """Set a new password for the user with the address EMAIL, and end all sessions of that user."""
    from chalicelib.useradm import service

    found = _find(email)
    chosen = _password(password, generate=generate)
    service.set_password(found.tenant, found.id, chosen)
    return _with_password(found, chosen, shown=generate)


@command(user, "reset-link")
@click.argument("email")
def reset_link(email: str) -> Result:
    """Print a link for the user with the address EMAIL to set a new password, once and within an hour.

    If the server knows neither its own URL nor that of its web UI, it prints the bare secret for POST
    auth/password-reset/complete.
    """
    from chalicelib.useradm import service

    link = service.reset_link(email)
    return Result(link, {"link": link})


@command(user, "verify")
@click.argument("email")
def verify(email: str) -> Result:
    """Mark the address EMAIL as verified, for servers that cannot send mails."""
    from chalicelib.useradm import service

    found = service.verify(email)
    return Result(found.id, _document(found))


@command(user, "reset-2fa")
@click.argument("email")
def reset_2fa(email: str) -> Result:
    """Remove the second factor of the user with the address EMAIL, who has lost it; the password then suffices."""
    from chalicelib.useradm import service

    found = service.reset_tfa(email)
    return Result(found.id, _document(found))


def _find(email: str) -> User:
    from chalicelib.errors import NotFound
    from chalicelib.useradm import service

    found = service.find_user(email)
    if found is None:
        raise NotFound("user not found")
    return found


def _password(given: str | None, *, generate: bool) -> str:
    if generate:
        if given is not None:
            raise click.UsageError("use either --password or --generate")
        return secrets.token_urlsafe(15)
    if given == "-":
        return sys.stdin.readline().rstrip("\r\n")
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to prompt on: use --password, --password - or --generate")
    chosen: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return chosen


def _with_password(user: User, password: str, *, shown: bool) -> Result:
    if not shown:
        return Result(user.id, _document(user))
    click.echo(f"password: {password}", err=True)
    return Result(user.id, _document(user) | {"password": password})


def _document(user: User) -> dict[str, Any]:
    from chalicelib.clock import rfc3339

    login = rfc3339(user.login) if user.login else None
    created = rfc3339(user.created)
    return {
        "id": user.id,
        "email": user.email,
        "tenant": user.tenant,
        "roles": list(user.roles),
        "created": created,
        "login": login,
    }
