"""Calls during failures of DynamoDB, simulated by a real server."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

from chalicelib.call import Running
from chalicelib.errors import Unavailable
from chalicelib.storage.transport import Patience, Refused, Transport
from tests.storage.conftest import MakeTransport
from tests.storage.stage import (
    GET,
    ITEM,
    WRITES,
    Play,
    Stage,
    answer,
    cut,
    cut_short,
    refusal,
    say_nothing,
)


def test_the_request_of_a_call(stage: Stage, make_transport: MakeTransport):
    stage.will(answer(ITEM))

    assert make_transport().call("GetItem", GET) == ITEM

    ((headers, body),) = stage.visits
    assert headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert json.loads(body) == GET


PASSING = {
    "throttled": refusal("ProvisionedThroughputExceededException"),
    "throttled by rate": refusal("ThrottlingException"),
    "throttled by the account": refusal("RequestLimitExceeded"),
    "too many requests, by status alone": answer(b"", 429),
    "server error": refusal("InternalServerError", status=500),
    "server error without a body": answer(b"", 500),
    "a page of something on the way": answer(b"<html>", 502),
    "unavailable": answer(b"busy", 503),
    "connection cut": cut,
    "answer cut short": cut_short,
    "wrong CRC": answer(ITEM, x_amz_crc32="1"),
    "CRC that is no number": answer(ITEM, x_amz_crc32="?"),
    "an answer that is no JSON": answer(b"{"),
    "not HTTP": lambda visit: visit.wfile.write(b"\0\0\0\0\r\n\r\n"),
}


@pytest.mark.parametrize("play", PASSING.values(), ids=PASSING)
class TestTemporaryFailures:
    """Throttling, server errors, lost and damaged answers."""

    def test_they_are_retried(self, stage: Stage, make_transport: MakeTransport, play: Play):
        stage.will(play, play, play, answer(ITEM))

        assert make_transport().call("GetItem", GET) == ITEM

        assert [json.loads(body) for _, body in stage.visits] == [GET] * 4

    def test_a_lasting_failure_is_unavailable(self, stage: Stage, make_transport: MakeTransport, play: Play):
        stage.will(*[play] * 9)

        with pytest.raises(Unavailable):
            make_transport().call("GetItem", GET)

        assert len(stage.visits) == 4


class TestTime:
    """Timeouts of calls."""

    def test_a_missing_answer_times_out(self, stage: Stage, make_transport: MakeTransport):
        stage.will(say_nothing, answer(ITEM))

        assert make_transport(Patience(read=0.05, pause=0)).call("GetItem", GET) == ITEM

        assert len(stage.visits) == 2

    def test_no_attempt_begins_after_the_time_limit(self, stage: Stage, make_transport: MakeTransport):
        stage.will(say_nothing, answer(ITEM))

        with pytest.raises(Unavailable):
            make_transport(Patience(read=0.05, budget=0.04)).call("GetItem", GET)

        assert len(stage.visits) == 1

    def test_a_pause_beyond_the_time_limit_is_skipped(self, stage: Stage, make_transport: MakeTransport):
        stage.will(refusal("ThrottlingException"), answer(ITEM))

        with pytest.raises(Unavailable):
            make_transport(Patience(throttled_pause=1e9, budget=1)).call("GetItem", GET)

        assert len(stage.visits) == 1

    def test_later_attempts_wait_only_for_the_remaining_time(self, stage: Stage, make_transport: MakeTransport):
        """With the timeout of the first attempt, the second would take longer than the suite."""
        stage.will(cut, say_nothing)

        with pytest.raises(Unavailable):
            make_transport(Patience(connect=0.05, read=3600, budget=0.05, pause=0)).call("GetItem", GET)

        assert len(stage.visits) == 2

    def test_pauses_are_random_below_a_doubling_limit(
        self, stage: Stage, make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch
    ):
        bounds: list[tuple[float, float]] = []

        def least(low: float, high: float) -> float:
            bounds.append((low, high))
            return low

        monkeypatch.setattr("random.uniform", least)
        stage.will(cut, cut, cut, answer(ITEM), *[refusal("ThrottlingException")] * 3)
        patience = Patience(pause=0.003, throttled_pause=0.5)

        make_transport(patience).call("GetItem", GET)
        make_transport(patience).call("GetItem", GET)

        assert bounds == [(0, 0.003), (0, 0.006), (0, 0.012), (0, 0.5), (0, 1.0), (0, 2.0)]

    def test_after_one_dead_connection_there_is_time_for_a_second_attempt(
        self, stage: Stage, make_transport: MakeTransport
    ):
        """With the default timeout, one dead connection costs a quarter of the time limit."""
        stage.will(say_nothing, answer(ITEM))

        assert make_transport(Patience()).call("GetItem", GET) == ITEM

        assert len(stage.visits) == stage.connections == 2
        assert Patience().read <= 2
        assert Patience().read <= Patience().budget / 3

    def test_near_the_end_of_a_call_only_the_remaining_time_is_used(self, stage: Stage, make_transport: MakeTransport):
        stage.will(*[refusal("ThrottlingException")] * 9)
        ends = SimpleNamespace(get_remaining_time_in_millis=lambda: 3_000)

        with Running("id", ends), pytest.raises(Unavailable):
            make_transport(Patience(throttled_pause=1e9)).call("GetItem", GET)

        assert len(stage.visits) == 1

    def test_a_closed_port(self, make_transport: MakeTransport):
        with pytest.raises(Unavailable):
            make_transport(url="http://127.0.0.1:1").call("GetItem", GET)


class TestRefusals:
    """Permanent errors."""

    @pytest.mark.parametrize(
        "code", ["ConditionalCheckFailedException", "ValidationException", "ResourceNotFoundException"]
    )
    def test_they_are_not_retried(self, stage: Stage, make_transport: MakeTransport, code: str):
        stage.will(refusal(code, "The reason"))

        with pytest.raises(Refused) as caught:
            make_transport().call("GetItem", GET)

        assert (caught.value.code, caught.value.message, caught.value.request_id) == (code, "The reason", "THE-ID")
        assert len(stage.visits) == 1

    def test_with_a_capital_message(self, stage: Stage, make_transport: MakeTransport):
        stage.will(answer({"__type": "a#AccessDeniedException", "Message": "Not you"}, 400))

        with pytest.raises(Refused, match="AccessDeniedException: Not you"):
            make_transport().call("GetItem", GET)

    def test_an_error_of_another_server(self, stage: Stage, make_transport: MakeTransport):
        stage.will(answer(b"<h1>Forbidden</h1>", 403))

        with pytest.raises(Refused, match="403"):
            make_transport().call("GetItem", GET)

    def test_errors_of_transactions_have_reasons(self, stage: Stage, make_transport: MakeTransport):
        reasons: list[dict[str, Any]] = [
            {"Code": "None"},
            {"Code": "ConditionalCheckFailed", "Message": "no", "Item": {"pk": {"S": "a"}, "b": {"B": "AP8="}}},
            {"Code": "TransactionConflict", "Message": None, "Item": None},
        ]
        stage.will(answer({"__type": "a#TransactionCanceledException", "CancellationReasons": reasons}, 400))

        with pytest.raises(Refused) as caught:
            make_transport().call("TransactWriteItems", WRITES["TransactWriteItems"])

        assert caught.value.reasons[1]["Item"]["b"] == {"B": b"\0\xff"}
        assert [reason["Code"] for reason in caught.value.reasons] == [reason["Code"] for reason in reasons]


class TestWritesWhoseAnswerIsLost:
    """Single writes may be repeated; transactions must not be."""

    def test_a_transaction_keeps_its_token(self, stage: Stage, make_transport: MakeTransport):
        stage.will(cut, answer({}))

        make_transport().call("TransactWriteItems", WRITES["TransactWriteItems"])
        make_transport().call("TransactWriteItems", WRITES["TransactWriteItems"])

        tokens = [json.loads(body)["ClientRequestToken"] for _, body in stage.visits]
        assert tokens[0] == tokens[1] != tokens[2]

    def test_a_given_token_is_sent(self, stage: Stage, make_transport: MakeTransport):
        make_transport().call("TransactWriteItems", {**WRITES["TransactWriteItems"], "ClientRequestToken": "mine"})

        assert json.loads(stage.visits[0][1])["ClientRequestToken"] == "mine"

    @pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"])
    def test_other_writes_are_repeated_unchanged(self, stage: Stage, make_transport: MakeTransport, operation: str):
        stage.will(cut, answer({}))

        make_transport().call(operation, WRITES[operation])

        assert stage.visits[0][1] == stage.visits[1][1]


class TestMeetingATransaction:
    """A single write of an item in an ongoing transaction is refused."""

    @pytest.mark.parametrize("operation", ["PutItem", "UpdateItem", "DeleteItem"])
    def test_it_is_retried(self, stage: Stage, make_transport: MakeTransport, operation: str):
        stage.will(*[refusal("TransactionConflictException")] * 6, answer(ITEM))

        assert make_transport().call(operation, WRITES[operation]) == ITEM

        assert (
            len(stage.visits) == 7
        )  # more often than after failures of AWS, since the item is free within milliseconds

    def test_it_is_retried_until_the_time_limit(
        self, stage: Stage, make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("random.uniform", lambda _, high: high)
        stage.will(*[refusal("TransactionConflictException")] * 99)

        with pytest.raises(Unavailable):
            make_transport(Patience(pause=0.001, budget=0.1)).call("UpdateItem", WRITES["UpdateItem"])

        assert 4 < len(stage.visits) < 20


def keys(*names: str) -> list[dict[str, Any]]:
    """Keys of a batch."""
    return [{"pk": {"S": name}, "sk": {"S": "x"}} for name in names]


class TestBatches:
    """The transport retries unprocessed parts of a batch."""

    def test_unprocessed_items_are_sent_again(self, stage: Stage, make_transport: MakeTransport):
        writes = [{"DeleteRequest": {"Key": key}} for key in keys("a", "b", "c")]
        stage.will(
            answer({"UnprocessedItems": {"t": writes[1:]}}),
            answer({"UnprocessedItems": {"t": writes[2:]}}),
            answer({"UnprocessedItems": {}}),
        )

        done = make_transport().call("BatchWriteItem", {"RequestItems": {"t": writes}})

        assert done == {"UnprocessedItems": {}}
        assert [json.loads(body)["RequestItems"]["t"] for _, body in stage.visits] == [writes, writes[1:], writes[2:]]

    def test_unprocessed_keys_are_read_again(self, stage: Stage, make_transport: MakeTransport):
        about = {"ConsistentRead": True, "ProjectionExpression": "#0", "ExpressionAttributeNames": {"#0": "pk"}}
        a, b, c = keys("a", "b", "c")
        stage.will(
            answer({"Responses": {"t": [a]}, "UnprocessedKeys": {"t": {"Keys": [b], **about}, "u": {"Keys": [c]}}}),
            answer({"Responses": {"u": [c], "t": [b]}, "UnprocessedKeys": {}}),
        )
        request = {"RequestItems": {"t": {"Keys": [a, b], **about}, "u": {"Keys": [c]}}}

        done = make_transport().call("BatchGetItem", request)

        assert done == {"Responses": {"t": [a, b], "u": [c]}, "UnprocessedKeys": {}}
        assert json.loads(stage.visits[1][1])["RequestItems"] == {"t": {"Keys": [b], **about}, "u": {"Keys": [c]}}

    @pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
    def test_a_batch_that_makes_no_progress_backs_off_and_ends(
        self, stage: Stage, make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch, operation: str
    ):
        bounds: list[float] = []

        def longest(_: float, high: float) -> float:
            bounds.append(high)
            return high

        monkeypatch.setattr("random.uniform", longest)
        write = {"DeleteRequest": {"Key": keys("a")[0]}}
        items: Any = {"t": {"Keys": keys("a")}} if operation == "BatchGetItem" else {"t": [write]}
        undone = "UnprocessedKeys" if operation == "BatchGetItem" else "UnprocessedItems"
        stage.will(*[answer({undone: items})] * 999)

        with pytest.raises(Unavailable):
            make_transport(Patience(budget=0.5, throttled_pause=0.02)).call(operation, {"RequestItems": items})

        assert bounds[:4] == [0.02, 0.04, 0.08, 0.16]
        assert len(stage.visits) == len(bounds) < 8


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "dynamodb.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "dynamodb.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_endpoint_of_a_region_is_botocores(region: str, host: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    theirs = botocore.session.Session().create_client(
        "dynamodb", region, aws_access_key_id="a", aws_secret_access_key="b"
    )

    assert Transport(region)._pool.host == host
    assert theirs.meta.endpoint_url == f"https://{host}"
