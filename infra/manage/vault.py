"""``manage vault-key ...``: the keys that encrypt secrets of tenants."""

from __future__ import annotations

import click

from infra.manage.cli import Result, command, manage


@manage.group("vault-key")
def vault_key() -> None:
    """The keys that encrypt secrets of tenants: webhooks, identity providers, second factors."""


@command(vault_key, "rotate")
def rotate() -> Result:
    """Create a new key, encrypt all stored secrets with it, and print its name.

    Previous keys still decrypt. `vault-key retire` deletes them, some minutes later.
    """
    from chalicelib.aws import vault

    name = vault.rotate()
    sealed = _seal_anew()
    click.echo(f"encrypted again: {sealed}", err=True)
    return Result(name, {"key": name, "sealed_anew": sealed})


@command(vault_key, "retire")
def retire() -> Result:
    """Encrypt again what older keys still encrypt, and delete those keys.

    Refused until every running process has the newest key. Backups from before cannot be used for secrets of the
    deleted keys: keep a copy of the parameter as long as you keep backups.
    """
    from chalicelib.aws import vault

    vault.check_settled()
    sealed = _seal_anew()
    retired = vault.retire()
    return Result("\n".join(f"retired {name}" for name in retired), {"retired": retired, "sealed_anew": sealed})


def _seal_anew() -> int:
    from chalicelib.integrations.service import sealing as integrations
    from chalicelib.tenantadm import service as tenantadm
    from chalicelib.useradm import service as useradm

    return sum(integrations.seal_anew(tenant.id) + useradm.seal_anew(tenant.id) for tenant in tenantadm.all_tenants())
