"""The server's own secrets: how long a process caches them, and the error if there are none."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

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


def test_without_a_signing_key_the_error_says_what_to_do(name: str):
    parameter = Parameter(name, str)

    assert parameter.read() is None
    with pytest.raises(Unavailable, match=f"{name}; run: manage signing-key rotate"):
        parameter.get()


def test_the_writer_sees_a_new_value_at_once_and_others_after_a_while(name: str, monkeypatch: pytest.MonkeyPatch):
    mine, others = Parameter(name, int), Parameter(name, int)
    mine.write("1", overwrite=False)
    assert (mine.get(), others.get()) == (1, 1)

    mine.write("2", overwrite=True)

    assert mine.get() == 2
    assert others.get() == 1
    assert others.read() == 2
    monkeypatch.setattr(parameters, "_LOOK_AGAIN", 0.0)
    assert others.get(again=True) == others.get() == 2


class TestTheStoreDoesNotAnswer:
    """Cached values are used for a while."""

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
        """Move the clock forward by seconds."""
        passed = [0.0]
        monkeypatch.setattr("chalicelib.cache.time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))

        def later(seconds: float) -> None:
            passed[0] += seconds

        return later

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Calls of the store since it stopped answering, which the test triggers with ``silence``."""
        made: list[str] = []

        def silent(_: str, target: str, *__: Any, **___: Any) -> Any:
            made.append(target)
            raise Unavailable

        self.silence = lambda: monkeypatch.setattr(client, "call", silent)
        return made

    def test_an_old_value_is_used_without_calling_the_store_again(self, name: str, clock, calls):
        parameter = Parameter(name, int)
        parameter.write("1", overwrite=False)
        assert parameter.get() == 1
        self.silence()
        clock(settings.current().key_cache)

        assert [parameter.get() for _ in range(20)] == [1] * 20

        assert len(calls) == 1
        clock(10)
        assert parameter.get() == 1
        assert len(calls) == 2

    def test_an_old_value_is_not_used_forever(self, name: str, clock, calls):
        parameter = Parameter(name, int)
        parameter.write("1", overwrite=False)
        parameter.get()
        self.silence()
        clock(settings.current().key_cache + settings.current().key_stale)

        with pytest.raises(Unavailable):
            parameter.get()

    def test_revocable_values_are_not_used_when_old(self, name: str, clock, calls):
        parameter = Parameter(name, int)
        parameter.write("1", overwrite=False)
        parameter.get()
        self.silence()
        clock(settings.current().key_cache)

        with pytest.raises(Unavailable):
            parameter.get(stale=False)
        with pytest.raises(Unavailable):
            parameter.get(again=True)
        assert len(calls) == 1  # reading a missing value does not call the store each time
        assert parameter.get() == 1

    def test_a_store_that_answers_again_is_used(self, name: str, clock, calls, monkeypatch):
        mine, others = Parameter(name, int), Parameter(name, int)
        mine.write("1", overwrite=False)
        others.get()
        with monkeypatch.context() as patch:
            patch.setattr(client, "call", lambda *_, **__: (_ for _ in ()).throw(Unavailable()))
            clock(settings.current().key_cache)
            assert others.get() == 1
        mine.write("2", overwrite=True)
        clock(10)

        assert others.get() == 2

    def test_a_deleted_parameter_is_not_used(self, name: str, clock):
        parameter = Parameter(name, int)
        parameter.write("1", overwrite=False)
        parameter.get()
        client.call("ssm", "AmazonSSM.DeleteParameter", {"Name": parameter.name})
        clock(settings.current().key_cache)

        with pytest.raises(Unavailable, match="rotate"):
            parameter.get()

    def test_all_used_parameters_are_read_in_one_call(self, name: str, clock, monkeypatch):
        asked: list[list[str]] = []
        real = client.call

        def call(service: str, target: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
            asked.append(payload.get("Names", []))
            return real(service, target, payload, **more)

        several = [Parameter(f"{name}{number}", int) for number in range(3)]
        for number, parameter in enumerate(several):
            parameter.write(str(number), overwrite=False)
        used = several[:2]
        assert [parameter.get() for parameter in used] == [0, 1]
        clock(settings.current().key_cache)
        monkeypatch.setattr(client, "call", call)

        assert [parameter.get() for parameter in used] == [0, 1]

        (names,) = asked
        assert {each.name for each in used} <= set(names)
        assert several[2].name not in names
        for parameter in several:
            real("ssm", "AmazonSSM.DeleteParameter", {"Name": parameter.name})

    def test_processes_refresh_at_different_times(self, name: str):
        processes = [Parameter(name, int) for _ in range(20)]
        processes[0].write("1", overwrite=False)
        for process in processes:
            process.get()

        lives = {process._share for process in processes}

        assert len(lives) > 10
        assert all(0.8 <= life <= 1 for life in lives)


def test_a_write_whose_answer_is_lost_is_made_once(name: str, monkeypatch: pytest.MonkeyPatch):
    parameter, pool = Parameter(name, str), client.pool()
    real, lost = pool.request, [True]

    def request(*about: Any, **more: Any) -> Any:
        answer = real(*about, **more)
        if lost and lost.pop():
            raise urllib3.exceptions.ProtocolError("the connection is gone")
        return answer

    monkeypatch.setattr(pool, "request", request)

    parameter.write("mine", overwrite=False)

    assert lost == []
    assert parameter.read() == "mine"


def test_a_parameter_is_overwritten_only_on_request(name: str):
    parameter = Parameter(name, str)
    parameter.write("first", overwrite=False)

    with pytest.raises(client.AwsError) as refused:
        parameter.write("second", overwrite=False)

    assert refused.value.code == "ParameterAlreadyExists"
    assert parameter.read() == "first"
    assert 0 <= parameter.age() < 300
