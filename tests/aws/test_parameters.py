"""The server's own secrets: what a process believes, for how long, and what it says where there are none."""

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


class TestTheStoreDoesNotAnswer:
    """What a process knows holds on for a while."""

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
        """Lets seconds pass."""
        passed = [0.0]
        monkeypatch.setattr("chalicelib.cache.time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))

        def later(seconds: float) -> None:
            passed[0] += seconds

        return later

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The calls of the store since it stopped to answer, which it does when this is asked for ``silence``."""
        made: list[str] = []

        def silent(_: str, target: str, *__: Any, **___: Any) -> Any:
            made.append(target)
            raise Unavailable

        self.silence = lambda: monkeypatch.setattr(client, "call", silent)
        return made

    def test_aws17_an_old_value_is_used_and_the_store_is_left_alone(self, name: str, clock, calls):
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

    def test_aws17_not_for_ever(self, name: str, clock, calls):
        parameter = Parameter(name, int)
        parameter.write("1", overwrite=False)
        parameter.get()
        self.silence()
        clock(settings.current().key_cache + settings.current().key_stale)

        with pytest.raises(Unavailable):
            parameter.get()

    def test_aws17_not_by_who_must_not_use_what_was_taken_back(self, name: str, clock, calls):
        parameter = Parameter(name, int)
        parameter.write("1", overwrite=False)
        parameter.get()
        self.silence()
        clock(settings.current().key_cache)

        with pytest.raises(Unavailable):
            parameter.get(stale=False)
        with pytest.raises(Unavailable):
            parameter.get(again=True)
        assert len(calls) == 1  # who asks for what is not there does not make this process ask each time
        assert parameter.get() == 1

    def test_aws17_a_store_that_answers_again_is_believed(self, name: str, clock, calls, monkeypatch):
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

    def test_aws17_a_parameter_that_is_gone_is_gone(self, name: str, clock):
        parameter = Parameter(name, int)
        parameter.write("1", overwrite=False)
        parameter.get()
        client.call("ssm", "AmazonSSM.DeleteParameter", {"Name": parameter.name})
        clock(settings.current().key_cache)

        with pytest.raises(Unavailable, match="rotate"):
            parameter.get()

    def test_aws17_what_is_used_is_read_in_one_call(self, name: str, clock, monkeypatch):
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

    def test_aws17_processes_read_at_times_of_their_own(self, name: str):
        processes = [Parameter(name, int) for _ in range(20)]
        processes[0].write("1", overwrite=False)
        for process in processes:
            process.get()

        lives = {process._share for process in processes}

        assert len(lives) > 10
        assert all(0.8 <= life <= 1 for life in lives)


def test_aws19_a_write_whose_answer_is_lost_is_one(name: str, monkeypatch: pytest.MonkeyPatch):
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


def test_it_is_written_over_only_on_purpose(name: str):
    parameter = Parameter(name, str)
    parameter.write("first", overwrite=False)

    with pytest.raises(client.AwsError) as refused:
        parameter.write("second", overwrite=False)

    assert refused.value.code == "ParameterAlreadyExists"
    assert parameter.read() == "first"
    assert 0 <= parameter.age() < 300
