"""Password hashes: argon2id for new ones, imported bcrypt until the next login."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import bcrypt
import pytest

from chalicelib.errors import BadRequest
from chalicelib.rights import EVERYTHING
from chalicelib.useradm import service
from chalicelib.useradm.service import passwords
from tests.conftest import PASSWORD
from tests.useradm.conftest import LOGIN, ME, bearer

if TYPE_CHECKING:
    import httpx2


pytestmark = pytest.mark.usefixtures("deployed_hashes")


def imported(password: str) -> str:
    """A hash from another server's export, with a lower cost."""
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4, prefix=b"2a")).decode()


def test_new_hashes_are_argon2id_with_the_documented_parameters():
    hashed = passwords.hash_password(PASSWORD)

    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify(hashed, PASSWORD)
    assert not passwords.verify(hashed, PASSWORD + "x")
    assert not passwords.is_outdated(hashed)
    assert hashed != passwords.hash_password(PASSWORD)


def test_an_imported_user_logs_in_and_gets_a_new_hash(http: httpx2.Client, tenant):
    email = f"{uuid.uuid4().hex}@example.com"
    user = service.create_user(tenant.id, email, "", password_hash=imported(PASSWORD), by=EVERYTHING)

    assert http.post(LOGIN, auth=(email, "not the password")).status_code == 401
    assert service.get_user(tenant.id, user.id).password.startswith("$2a$")
    first = http.post(LOGIN, auth=(email, PASSWORD))

    assert first.status_code == 200
    assert service.get_user(tenant.id, user.id).password.startswith("$argon2id$")
    assert http.post(LOGIN, auth=(email, PASSWORD)).status_code == 200
    assert http.get(ME, headers=bearer(first.text)).status_code == 200


def test_passwords_longer_than_72_bytes_work_with_bcrypt():
    long = "ü" * 100

    assert passwords.verify(imported(long), long)
    assert not passwords.verify(imported(long), "x" + long)


@pytest.mark.parametrize("hashed", ["", "x", "$2a$", "$2a$10$tooshort", "$argon2id$v=19$broken"])
def test_a_broken_hash_matches_nothing(hashed: str):
    assert not passwords.verify(hashed, PASSWORD)


@pytest.mark.parametrize("hashed", ["plain", "$1$md5$x", "$argon2i$v=19$m=1,t=1,p=1$YQ$YQ"])
def test_other_hashes_cannot_be_imported(tenant, hashed: str):
    with pytest.raises(BadRequest):
        service.create_user(tenant.id, f"{uuid.uuid4().hex}@example.com", "", password_hash=hashed, by=EVERYTHING)
