"""``manage vault-key ...``: the keys that seal the secrets which tenants entrust to the server."""

from __future__ import annotations

import click

from infra.manage.cli import Result, command, manage


@manage.group("vault-key")
def vault_key() -> None:
    """The keys that seal secrets of tenants: of webhooks, identity providers, second factors."""


@command(vault_key, "rotate")
def rotate() -> Result:
    """Seal with a new key from now on, seal anew what is stored, and print the key's name.

    The keys before still open what they sealed. `vault-key retire` ends them, some minutes later.
    """
    from chalicelib.aws import vault

    name = vault.rotate()
    sealed = _seal_anew()
    click.echo(f"encrypted again: {sealed}", err=True)
    return Result(name, {"key": name, "sealed_anew": sealed})


@command(vault_key, "retire")
def retire() -> Result:
    """Seal anew whatever older keys still seal, and delete those keys.

    Refused until every running process has the newest key. A backup from before can't be used for what the deleted
    keys sealed: keep a copy of the parameter as long as you keep backups.
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
