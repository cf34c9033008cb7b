"""The server's own secrets: what a process believes, for how long, and what it says where there are none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from chalicelib import settings
from chalicelib.aws import client, parameters
from chalicelib.aws.parameters import Parameter
from chalicelib.errors import Unavailable


@pytest.fixture
def name(server) -> Iterator[str]:
    chosen = f"test-{uuid.uuid4()}"
    yield chosen
    whole = f"/lamplighter/{settings.current().stage}/{chosen}"
    client.call("ssm", "AmazonSSM.DeleteParameters", {"Names": [whole]})


def test_a_server_without_it_says_what_to_do(name: str):
    parameter = Parameter(name, str)

    assert parameter.read() is None
    with pytest.raises(Unavailable, match=f"{name}; run: manage signing-key rotate"):
        parameter.get()


def test_who_writes_it_sees_it_and_others_after_a_while(name: str, monkeypatch: pytest.MonkeyPatch):
    mine, others = Parameter(name, int), Parameter(name, int)
    mine.write("1", overwrite=False)
    assert (mine.get(), others.get()) == (1, 1)

    mine.write("2", overwrite=True)

    assert mine.get() == 2
    assert others.get() == 1
    assert others.read() == 2
    monkeypatch.setattr(parameters, "_LOOK_AGAIN", 0.0)
    assert others.get(again=True) == others.get() == 2


def test_it_is_written_over_only_on_purpose(name: str):
    parameter = Parameter(name, str)
    parameter.write("first", overwrite=False)

    with pytest.raises(client.AwsError) as refused:
        parameter.write("second", overwrite=False)

    assert refused.value.code == "ParameterAlreadyExists"
    assert parameter.read() == "first"
    assert 0 <= parameter.age() < 300
