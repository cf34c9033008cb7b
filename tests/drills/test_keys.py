"""Rotating keys of a running server: tokens and secrets stay valid as long as they should, and no longer."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidTag

from chalicelib import clock, settings
from chalicelib.aws import vault
from chalicelib.errors import Conflict
from chalicelib.integrations.service import sealing
from chalicelib.integrations.service import sealing as integrations
from chalicelib.integrations.tables import integrations as table
from chalicelib.rights import EVERYTHING
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.useradm import service as useradm
from chalicelib.useradm.tables import providers, users
from tests.drills.conftest import Account, Site
from tests.manage.conftest import run
from tests.support.waiting import until
from tests.useradm.conftest import ME, bearer

if TYPE_CHECKING:
    import httpx2

    from tests.simulator.device import Device


def kid(token: str) -> str:
    """The id of the key that signed a token."""
    head = token.split(".", maxsplit=1)[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


def is_accepted(http: httpx2.Client, token: str) -> bool:
    """Whether the server accepts a user's token."""
    answer = http.get(ME, headers=bearer(token))
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def signed(device: Device) -> str:
    """The id of the key that signs a device's new token."""
    assert device.auth().status_code == 200
    return kid(str(device.token))


def test_the_signing_key_is_rotated_and_a_leaked_one_is_withdrawn(site: Site, account: Account):
    with site.serving() as http, account.world(http) as world:
        device, scout = world.device(), world.device()
        old = account.log_in(http)
        assert device.token is not None
        device_old = device.token

        new_key = site.manage("signing-key", "rotate")["kid"]

        # A user's sessions are limited; a device may request tokens as often as it likes.
        until("tokens of the new key", lambda: signed(scout) == new_key)
        new = account.log_in(http)
        assert (kid(new), kid(old) != new_key) == (new_key, True)
        assert is_accepted(http, old)
        assert device.poll().status_code == 204, "a token of the previous key is valid until it expires"
        assert device.auth().status_code == 200
        assert device.token is not None
        assert (kid(device.token), kid(device_old)) == (new_key, kid(old))

        dead = [old, new]
        last_key = site.manage("signing-key", "rotate", "--withdraw-old")["kid"]

        until("tokens of older keys are invalid", lambda: not any(is_accepted(http, each) for each in dead))
        assert device.poll().status_code == 401
        assert device.auth().status_code == 200, "a device gets a new token without help"
        assert device.poll().status_code == 204
        assert kid(account.log_in(http)) == last_key


def test_secrets_stay_readable_when_their_key_is_rotated(server, tenant, api, monkeypatch: pytest.MonkeyPatch):
    webhook = table.Integration("hook", "webhook", "https://example.com", _seal(tenant, "hook", "of a webhook"), "", [])
    tx = Transaction()
    table.put_new(tx, tenant.id, webhook)
    provider = providers.Provider(
        "idp", tenant.id, "i", "w", "c", _seal(tenant, "idp", "of a provider"), (), auto_provision=False, roles=()
    )
    providers.put_new(tx, provider)
    tx.commit()
    [user] = useradm.list_users(tenant.id)
    tx = Transaction()
    factor = users.TwoFactor(secret=_seal(tenant, user.id, "of a phone"))
    users.set_two_factor(tx, user, clock.now(), factor)
    tx.commit()

    def opened() -> list[str]:
        hook, idp = table.find(tenant.id, "hook"), providers.find(tenant.id, "idp")
        person = users.find(tenant.id, user.id)
        assert hook is not None
        assert idp is not None
        assert person is not None
        sealed = ((hook.secret, "hook"), (idp.secret, "idp"), (person.tfa.secret, user.id))
        return [vault.unseal(secret, tenant.id, whose) for secret, whose in sealed if secret is not None]

    secrets = ["of a webhook", "of a provider", "of a phone"]
    sealed_before = webhook.secret
    assert sealed_before is not None
    new = vault.rotate()
    assert opened() == secrets, "the previous key still decrypts"
    with pytest.raises(Conflict, match="retire"):
        vault.rotate()
    with pytest.raises(Conflict, match="try again"):
        vault.check_settled()

    assert (integrations.seal_anew(tenant.id), useradm.seal_anew(tenant.id)) == (1, 2)
    assert (integrations.seal_anew(tenant.id), useradm.seal_anew(tenant.id)) == (0, 0), "repeating changes nothing"
    monkeypatch.setattr(vault, "_CALL", -settings.current().key_cache - 60)
    vault.check_settled()
    assert len(vault.retire()) == 1
    assert vault.retire() == []

    assert opened() == secrets
    hook = table.find(tenant.id, "hook")
    assert hook is not None
    assert hook.secret is not None
    assert hook.secret.hex().startswith(new)
    with pytest.raises(KeyError):
        vault.unseal(sealed_before, tenant.id, "hook")
    with pytest.raises(InvalidTag):
        vault.unseal(hook.secret, tenant.id, "other")


def _seal(tenant, thing: str, secret: str) -> bytes:
    return vault.seal(secret, tenant.id, thing)


def test_a_concurrent_change_does_not_undo_the_re_encryption_of_a_secret(server, tenant):
    """A change based on an item read before its secret was encrypted again fails, and has to be repeated."""
    useradm.create_user(tenant.id, f"{tenant.id}@example.com", "a-long-enough-one", by=EVERYTHING)
    hook = table.Integration("hook", "webhook", "https://example.com", _seal(tenant, "hook", "a"), "", [])
    idp = providers.Provider(
        "idp", tenant.id, "i", "w", "c", _seal(tenant, "idp", "b"), (), auto_provision=False, roles=(), version=0
    )
    tx = Transaction()
    table.put_new(tx, tenant.id, hook)
    providers.put_new(tx, idp)
    tx.commit()
    [user] = useradm.list_users(tenant.id)
    tx = Transaction()
    users.set_two_factor(tx, user, clock.now(), users.TwoFactor(secret=_seal(tenant, user.id, "c")))
    tx.commit()
    [user] = useradm.list_users(tenant.id)
    vault.rotate()

    sealing.seal_anew(tenant.id)
    useradm.seal_anew(tenant.id)

    late = [Transaction() for _ in range(3)]
    table.change(late[0], tenant.id, hook, "https://example.com", hook.secret)
    providers.replace(late[1], idp, replace(idp, client_id="other"))
    users.set_two_factor(late[2], user, clock.now(), replace(user.tfa, step=1))
    for each in late:
        with pytest.raises(ConditionFailed):
            each.commit()
    vault.retire()


def test_the_vaults_key_is_rotated_by_command(site: Site, account: Account):
    first = site.manage("vault-key", "rotate")
    assert first["sealed_anew"] == 0

    early = run(site.environment() | {"LAMPLIGHTER_KEY_CACHE": "300"}, "vault-key", "retire")

    assert (early.returncode, "may still use the previous key" in early.stderr) == (4, True)
    again = run(site.environment(), "vault-key", "rotate")
    assert (again.returncode, "vault-key retire" in again.stderr) == (4, True)
    # These processes cache no keys, so no waiting is needed.
    settled = run(site.environment() | {"LAMPLIGHTER_KEY_CACHE": "-60"}, "vault-key", "retire", "--json")
    retired = json.loads(settled.stdout)["retired"]
    assert len(retired) == 1
    assert retired != [first["key"]]
