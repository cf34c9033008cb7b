"""Concurrent changes of one user, one between the read and the write of the other."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from chalicelib import clock
from chalicelib.errors import Conflict, NotFound, Unauthorized, Unavailable, Unprocessable
from chalicelib.rights import EVERYTHING
from chalicelib.storage.transactions import Transaction
from chalicelib.useradm import rules, service
from chalicelib.useradm.service import sessions
from chalicelib.useradm.tables import attempts, tokens, users
from tests.conftest import PASSWORD
from tests.useradm.conftest import Person, meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.tenantadm.service import Tenant

ELSEWHERE = "198.51.100.7"
"""A network whose failed logins are not counted by other tests."""
NEW = "a whole new one"


def log_in(person: Person) -> str:
    return sessions.login(person.email, person.password, ELSEWHERE)


def change(person: Person) -> None:
    """Change the user in a way that has no other effect."""
    tx = Transaction()
    users.touch(tx, service.get_user(person.tenant, person.id))
    tx.commit()


def sessions_of(person: Person) -> int:
    return len(tokens.of_user(person.tenant, person.id))


class TestALoginMeanwhile:
    """A session that begins between reading the tokens and writing the change ends with the others."""

    def test_of_a_new_password(self, person: Person):
        with meanwhile("Query", lambda: log_in(person)):
            service.set_password(person.tenant, person.id, NEW)

        assert sessions_of(person) == 0

    def test_a_user_changes_their_own_password(self, person: Person):
        wanted = rules.change("", NEW, own=True)
        with meanwhile("Query", lambda: log_in(person)):
            service.update_user(
                person.tenant,
                person.id,
                wanted,
                current_password=PASSWORD,
                keep_token="the one that asks",
                by=EVERYTHING,
            )

        assert sessions_of(person) == 0

    def test_of_a_deletion(self, person: Person, colleague: None):
        with meanwhile("Query", lambda: log_in(person)):
            service.delete_user(person.tenant, person.id, by=EVERYTHING)

        assert sessions_of(person) == 0
        with pytest.raises(NotFound):
            service.get_user(person.tenant, person.id)


def test_a_new_password_while_the_old_one_logs_in(person: Person):
    # The old password was correct when it was checked, but the session must not begin.
    with (
        meanwhile("Query", lambda: service.set_password(person.tenant, person.id, NEW)),
        pytest.raises(Unauthorized),
    ):
        log_in(person)

    assert sessions_of(person) == 0


def test_a_deletion_while_somebody_logs_in(person: Person, colleague: None):
    with (
        meanwhile("Query", lambda: service.delete_user(person.tenant, person.id, by=EVERYTHING)),
        pytest.raises(Unauthorized),
    ):
        log_in(person)

    assert sessions_of(person) == 0


def test_a_token_of_the_same_name_meanwhile(person: Person):
    def another() -> str:
        return sessions.create_token(person.tenant, person.id, "script", 0)

    with meanwhile("Query", another), pytest.raises(Conflict):
        another()

    assert sessions_of(person) == 1


def test_an_address_that_is_taken_meanwhile(person: Person, tenant: Tenant):
    wanted = f"wanted-{person.email}"

    def take() -> None:
        service.create_user(tenant.id, wanted, PASSWORD, by=EVERYTHING)

    with meanwhile("Query", take), pytest.raises(Unprocessable):
        service.update_user(
            person.tenant,
            person.id,
            rules.change(wanted, "", own=False),
            current_password="",
            keep_token=None,
            by=EVERYTHING,
        )

    assert service.get_user(person.tenant, person.id).email == person.email


def test_a_token_that_is_revoked_during_its_use(person: Person):
    sessions.create_token(person.tenant, person.id, "script", 0)
    [row] = tokens.of_user(person.tenant, person.id)

    with (
        meanwhile("BatchGetItem", lambda: sessions.revoke_token(person.tenant, person.id, row.id)),
        pytest.raises(Unauthorized),
    ):
        service.require_session(person.tenant, person.id, row.id, person.tenant)


@pytest.mark.parametrize(
    "act",
    [
        lambda person: service.set_password(person.tenant, person.id, NEW),
        lambda person: service.delete_user(person.tenant, person.id, by=EVERYTHING),
        lambda person: sessions.create_token(person.tenant, person.id, "script", 0),
        lambda person: service.update_user(
            person.tenant,
            person.id,
            rules.change("", NEW, own=True),
            current_password=PASSWORD,
            keep_token=None,
            by=EVERYTHING,
        ),
    ],
    ids=["set_password", "delete_user", "create_token", "update_user"],
)
def test_a_user_who_changes_constantly_causes_503(person: Person, colleague: None, act: Callable[[Person], object]):
    with meanwhile("Query", lambda: change(person), times=100), pytest.raises(Unavailable):
        act(person)

    assert service.get_user(person.tenant, person.id).password.startswith("$argon2id$")
    assert sessions_of(person) == 0


def test_concurrent_failures_are_all_counted(person: Person):

    guard, now, window = ("f" * 64, person.id), clock.now(), timedelta(seconds=60)

    # Both find no open window; the second is counted in the window of the first.
    with meanwhile("UpdateItem", lambda: attempts.count(*guard, now, window)):
        attempts.count(*guard, now, window)

    assert attempts.find(*guard) == (2, now + window)
