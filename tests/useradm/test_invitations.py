"""Invitations: a user without a password sets one through a link that is valid for a week and can be used once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.useradm import service
from tests.conftest import PASSWORD
from tests.useradm.browser import BASE
from tests.useradm.conftest import LOGIN, USERS, later, new_email

if TYPE_CHECKING:
    from tests.support.mailbox import Mailbox

RESET = f"{BASE}/auth/password-reset"
NEW_PASSWORD = "another-long-enough-one"


def test_a_user_is_invited_by_mail(server, http, api, box: Mailbox) -> None:
    email = new_email()
    made = api.post(USERS, json={"email": email})
    assert made.status_code == 201, "no password: an invitation"
    user = f"{USERS}/{made.headers['location'].rpartition('/')[2]}"
    server.drain()
    [mail] = box.to(email)
    assert mail["subject"] == "You are invited to Lamplighter"
    assert "7 days" in mail.get_content()
    assert "?invited=1" in mail.get_content()
    first = box.secret(email)
    assert api.get(user).json()["invited"] is True
    assert api.post(f"{user}/invitation").status_code == 202
    server.drain()
    second = box.secret(email)

    with later(6 * 86_400):
        used = {"secret_hash": first, "password": NEW_PASSWORD}
        assert http.post(f"{RESET}/complete", json=used).status_code == 400, "the newer one replaces it"
        used["secret_hash"] = second
        assert http.post(f"{RESET}/complete", json=used).status_code == 202
        assert http.post(f"{RESET}/complete", json=used).status_code == 400, "good once"

    shown = api.get(user).json()
    assert ("invited" in shown, shown["verified"]) == (False, True), "the link proved the address"
    assert http.post(LOGIN, auth=(email, NEW_PASSWORD)).status_code == 200
    assert api.post(f"{user}/invitation").status_code == 409
    assert api.post(f"{USERS}/nobody/invitation").status_code == 404


def test_an_invitation_becomes_invalid(server, http, api, box: Mailbox) -> None:
    email, other = new_email(), new_email()
    for each in (email, other):
        assert api.post(USERS, json={"email": each}).status_code == 201
    server.drain()
    user = service.find_user(other)
    assert user is not None
    service.set_password(user.tenant, user.id, PASSWORD)

    with later(7 * 86_400 + 1):
        expired = http.post(f"{RESET}/complete", json={"secret_hash": box.secret(email), "password": NEW_PASSWORD})
    late = http.post(f"{RESET}/complete", json={"secret_hash": box.secret(other), "password": NEW_PASSWORD})

    assert (expired.status_code, late.status_code) == (400, 400)
    assert "expired" in expired.json()["error"]


def test_inviting_requires_the_permissions_of_the_invited_user(server, api, sign_in, tenant, box: Mailbox) -> None:
    made = api.post(USERS, json={"email": new_email()})
    assert made.status_code == 201
    invitation = f"{USERS}/{made.headers['location'].rpartition('/')[2]}/invitation"

    assert sign_in(tenant, "RBAC_ROLE_OBSERVER").post(invitation).status_code == 403
    token = api.post(f"{BASE}/settings/tokens", json={"name": "ci"}).text
    assert api.post(invitation, headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_an_invited_user_who_uses_single_sign_on_cannot_set_a_password(
    server, http, api, box: Mailbox, provider, set_up, sign_on
) -> None:
    email = new_email()
    assert api.post(USERS, json={"email": email}).status_code == 201
    server.drain()
    secret = box.secret(email)
    assert sign_on(set_up(), email=email).status_code == 302

    late = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": NEW_PASSWORD})

    assert late.status_code == 400, "a password would outlive the identity at the provider"
