"""``manage secret``: secrets come from standard input and are never shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib import cache
from chalicelib.aws import private_settings
from chalicelib.aws.private_settings import Private
from tests.manage.conftest import Manage

SECRET = "between-the-edge-and-us-" + "x" * 20


@pytest.fixture(autouse=True)
def none_stored(server: object) -> Iterator[None]:
    cache.forget_all()
    yield
    for each in Private:
        private_settings.remove(each)


def test_a_secret_is_stored_listed_and_removed(done: Callable[..., str], document: Callable[..., Any]) -> None:
    said = done("secret", "set", "edge-secret", typed=f"{SECRET}\n")

    assert private_settings.edge_secret() == SECRET
    listed = done("secret", "list")
    assert SECRET not in said + listed
    assert [each["name"] for each in document("secret", "list") if each["written"]] == ["edge-secret"]

    done("secret", "remove", "edge-secret")

    cache.forget_all()
    assert private_settings.edge_secret() == ""
    assert done("secret", "remove", "edge-secret") == "there is no edge-secret"


def test_a_secret_is_not_an_argument_and_must_be_valid(manage: Manage) -> None:
    assert manage("secret", "set", "edge-secret", SECRET).returncode == 2
    refused = manage("secret", "set", "mail-server", typed="https://me:hidden@host\n")

    assert refused.returncode != 0
    assert "smtp://" in refused.stderr
    assert "hidden" not in refused.stderr
    assert private_settings.written_at(Private.MAIL_SERVER) is None
