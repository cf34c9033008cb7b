"""Rules of envelopes, the text dialect, ordering, files and recordings."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.deviceconnect.rules import dialect, envelope, recording, transfer
from chalicelib.deviceconnect.rules.dialect import BEGAN_BEFORE, Frame, GapError, InOrder
from chalicelib.deviceconnect.rules.envelope import MalformedError, Message, Proto, pack, unpack
from chalicelib.deviceconnect.rules.transfer import Data, FileInfo, More, Receive, TransferError
from infra.relay.translation import Incoming, Outgoing

scalars = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(), st.booleans(), st.none(), st.binary(max_size=50))
messages = st.builds(
    Message,
    proto=st.integers(0, 0xFFFF),
    typ=st.text(max_size=20),
    sid=st.text(max_size=40),
    props=st.dictionaries(st.text(max_size=20), scalars, max_size=limits.CONNECT_PROPS),
    body=st.binary(max_size=5000),
)


@given(messages)
def test_a_message_can_be_decoded_from_its_envelope(message: Message) -> None:
    assert envelope.decode(envelope.encode(message)) == message


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_encoded_as_int64(number: int) -> None:
    data = envelope.encode(Message(2, "ack", props={"offset": number}))

    assert b"\xa6offset\xd3" + number.to_bytes(8, "big", signed=True) in data


@given(st.binary(max_size=300))
def test_invalid_envelopes_are_refused(data: bytes) -> None:
    try:
        found = envelope.decode(data)
    except MalformedError:
        return
    assert envelope.decode(envelope.encode(found)) == found


LONGEST_SOURCE = BEGAN_BEFORE + "0" * 12
LAST_NUMBER = 10**15 - 1


def largest(props: dict[str, Any]) -> bytes:
    """The longest accepted envelope with these properties."""
    whole = {"hdr": {"proto": 1, "typ": "shell", "sid": "s" * 36, "props": props}, "body": b""}
    room = limits.CONNECT_MESSAGE - len(msgspec.msgpack.encode(whole | {"body": bytes(70_000)})) + 70_000
    data = msgspec.msgpack.encode(whole | {"body": bytes(room)})
    assert len(data) == limits.CONNECT_MESSAGE
    return data


@pytest.mark.parametrize(
    "props",
    [{}, {f"number {n}": n for n in range(limits.CONNECT_PROPS)}],
    ids=["nothing but a body", "numbers that become int64"],
)
def test_the_largest_envelope_fits_a_message_of_api_gateway(props: dict[str, Any]) -> None:
    message = envelope.decode(largest(props))
    message.props["user_id"] = "u" * 36  # the server adds it (service/routing.py)
    data = envelope.encode(message)

    assert len(dialect.to_server(Frame(largest(props), LAST_NUMBER))) <= limits.CONNECT_TEXT
    assert len(dialect.to_client(Frame(data, LAST_NUMBER, LONGEST_SOURCE))) <= limits.CONNECT_TEXT


def test_an_envelope_that_is_too_long_when_encoded_again_is_refused() -> None:
    short_floats = b"\xdd" + (18_000).to_bytes(4, "big") + b"\xca\x3f\x80\x00\x00" * 18_000
    data = b"\x81\xa3hdr\x82\xa5proto\x01\xa5props\x81\xa1a" + short_floats
    assert len(data) < limits.CONNECT_MESSAGE

    with pytest.raises(MalformedError, match="once its numbers"):
        envelope.decode(data)


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        msgspec.msgpack.encode({"hdr": {"proto": 1}, "body": 5}),
        msgspec.msgpack.encode({"hdr": {"typ": "no proto"}}),
        msgspec.msgpack.encode({"hdr": {"proto": 1, "props": nested(limits.CONNECT_DEPTH + 1)}}),
        msgspec.msgpack.encode({"hdr": {"proto": 1, "props": {str(n): n for n in range(limits.CONNECT_PROPS + 1)}}}),
        b"\x81\xa3hdr" + b"\x81\xa1a" * 5000 + b"\x01",
        msgspec.msgpack.encode({"hdr": {"proto": 1}, "body": bytes(limits.CONNECT_MESSAGE)}),
    ],
    ids=["empty", "body", "proto", "deep", "many", "very deep", "long"],
)
def test_malformed_envelopes_are_refused(wrong: bytes) -> None:
    with pytest.raises(MalformedError):
        envelope.decode(wrong)


def test_omitted_and_null_members_as_sent_by_go() -> None:
    sparse = msgspec.msgpack.encode({"hdr": {"proto": 1, "typ": "new", "sid": None, "props": None}, "body": None})

    assert envelope.decode(sparse) == Message(1, "new")
    assert envelope.encode(Message(1, "new")) == msgspec.msgpack.encode({"hdr": {"proto": 1, "typ": "new"}})


@given(st.binary(max_size=20_000), st.integers(1, 5000))
def test_only_stream_messages_are_split(body: bytes, most: int) -> None:
    for message in (Message(1, "shell", "s", {"status": 1}, body), Message(3, "forward", "s", {}, body)):
        pieces = envelope.split(message, most)
        assert b"".join(piece.body for piece in pieces) == body
        assert all(len(piece.body) <= most for piece in pieces)
        assert {(piece.typ, piece.sid) for piece in pieces} == {(message.typ, "s")}
    whole = Message(2, "file_chunk", body=body)
    assert envelope.split(whole, most) == [whole]


class TestTheTextDialect:
    @given(st.binary(max_size=200), st.integers(0, 10**12))
    def test_to_the_server(self, data: bytes, number: int) -> None:
        assert dialect.from_client(dialect.to_server(Frame(data, number))) == Frame(data, number)

    @given(st.binary(max_size=200), st.integers(0, 10**12), st.from_regex(r"\+?[0-9a-f]{12}|", fullmatch=True))
    def test_to_a_client(self, data: bytes, number: int, source: str) -> None:
        assert dialect.from_server(dialect.to_client(Frame(data, number, source))) == Frame(data, number, source)

    def test_standard_base64_is_accepted_too(self) -> None:
        assert dialect.from_client("AAEC") == Frame(b"\0\1\2")

    @pytest.mark.parametrize("wrong", ["é", "x:AAEC", "-1:AAEC", "1:AA", "1:2:3:AAEC", "²:AAEC", "1" * 16 + ":AAEC"])
    def test_invalid_text_is_refused(self, wrong: str) -> None:
        with pytest.raises(MalformedError):
            dialect.from_client(wrong)
        with pytest.raises(MalformedError):
            dialect.from_server(wrong)


class TestOrder:
    @given(st.permutations(list(range(1, 40))))
    def test_messages_in_any_order_are_reordered(self, arrivals: list[int]) -> None:
        order: InOrder[int] = InOrder()

        assert [item for number in arrivals for item in order.add(number, number)] == list(range(1, 40))

    @given(st.lists(st.integers(1, 20), max_size=80))
    def test_duplicates_are_dropped(self, arrivals: list[int]) -> None:
        order: InOrder[int] = InOrder()
        due = [item for number in arrivals for item in order.add(number, number)]

        assert due == list(range(1, len(due) + 1))
        assert len(due) + 1 not in arrivals

    @given(st.integers(2, 1000), st.permutations(list(range(10))))
    def test_a_sequence_that_began_earlier_starts_at_the_first_seen_number(
        self, first: int, arrivals: list[int]
    ) -> None:
        order: InOrder[int] = InOrder(next=0)
        early = [item for number in arrivals for item in order.add(first + number, first + number)]

        assert early + order.begin() == [first + number for number in range(10)]

    def test_a_gap_is_skipped_after_a_while(self) -> None:
        order: InOrder[int] = InOrder()
        for number in range(2, limits.CONNECT_WAITING + 2):
            assert order.add(number, number) == []
        with pytest.raises(GapError):
            order.add(limits.CONNECT_WAITING + 2, 0)

    @given(st.lists(st.sampled_from("abc"), max_size=30), st.randoms(use_true_random=False))
    def test_sessions_are_ordered_separately(self, senders: list[str], random: Any) -> None:
        """A device's messages to several sessions arrive in order in each, whatever overtakes what."""
        outgoing = Outgoing()
        sent = [
            (session, outgoing.frame(Message(1, "shell", session, body=str(n).encode())))
            for n, session in enumerate(senders)
        ]
        random.shuffle(sent)
        users = {session: Incoming() for session in "abc"}
        heard: dict[str, list[int]] = {session: [] for session in "abc"}
        for session, text in sent:
            frame = dialect.from_client(text)
            passed_on = dialect.to_client(Frame(frame.data, frame.number, "device"))
            heard[session] += [int(envelope.decode(data).body) for data in users[session].messages(passed_on)]

        assert heard == {session: [n for n, name in enumerate(senders) if name == session] for session in "abc"}

    def test_a_lost_message_is_detected(self) -> None:
        incoming = Incoming()
        text = dialect.to_client(Frame(envelope.encode(Message(1, "shell", "s")), 2, "device"))

        assert list(incoming.messages(text)) == []
        assert incoming.patience is not None
        with pytest.raises(GapError):
            list(incoming.lapse())

    def test_a_new_websocket_during_a_session(self) -> None:
        incoming = Incoming()
        texts = [
            dialect.to_client(Frame(envelope.encode(Message(1, "shell", "s", body=b"%d" % n)), n, BEGAN_BEFORE + "u"))
            for n in (8, 7)
        ]

        assert [data for text in texts for data in incoming.messages(text)] == []
        assert [envelope.decode(data).body for data in incoming.lapse()] == [b"7", b"8"]
        assert incoming.patience is None


class Exchange:
    """Runs the steps of a transfer with scripted answers of the device."""

    def __init__(self, steps: transfer.Steps, answers: list[Message], file: bytes = b"") -> None:
        self.sent: list[Message] = []
        self.data = b""
        self.info: FileInfo | None = None
        self._answers = answers
        self._file = [file[start : start + 10_000] for start in range(0, len(file), 10_000)]
        reply: Any = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration:
                return
            reply = self._outcome(step)

    def _outcome(self, step: Any) -> Any:
        match step:
            case Message():
                self.sent.append(step)
            case Receive():
                return self._answers.pop(0)
            case Data():
                self.data += step.data
            case FileInfo():
                self.info = step
            case More():
                return self._file.pop(0) if self._file else b""
        return None

    @property
    def types(self) -> list[str]:
        return [message.typ for message in self.sent]


ACCEPT = Message(Proto.CONTROL, "accept", body=pack({"version": 1, "protocols": [4, 2, 1]}))


def info(**more: Any) -> Message:
    return Message(Proto.FILE_TRANSFER, "file_info", body=pack({"path": "/f", "mode": 0o644, "size": 3} | more))


def chunk(offset: int, body: bytes = b"") -> Message:
    return Message(Proto.FILE_TRANSFER, "file_chunk", props={"offset": offset}, body=body)


def ack(offset: int) -> Message:
    return Message(Proto.FILE_TRANSFER, "ack", props={"offset": offset})


def failure(text: str, **more: Any) -> Message:
    return Message(Proto.FILE_TRANSFER, "error", body=pack({"err": text} | more))


class TestFiles:
    @given(st.binary(max_size=60_000))
    def test_download(self, data: bytes) -> None:
        chunks = [chunk(start, data[start : start + 4096]) for start in range(0, len(data), 4096)]
        done = Exchange(transfer.download("/f"), [ACCEPT, info(), *chunks, chunk(len(data))])

        assert done.data == data
        assert done.info == FileInfo("/f", 3, None, None, 0o644)
        assert done.types[:3] == ["open", "stat", "get_file"]
        assert done.types.count("ack") == 1 + len(chunks) // 10
        assert done.sent[-2].props == {"offset": len(data)}
        assert done.types[-1] == "close"

    @given(st.binary(max_size=300_000))
    def test_upload(self, data: bytes) -> None:
        ends = [min(end, len(data)) for end in range(4096, len(data) + 4096, 4096)]
        acks = [ack(0), *map(ack, ends), ack(len(data))]
        done = Exchange(transfer.upload("/f", mode=0o600), [ACCEPT, *acks], data)

        chunks = [message for message in done.sent if message.typ == "file_chunk"]
        assert b"".join(message.body for message in chunks) == data
        assert chunks[-1].body == b""
        offsets = [message.props["offset"] for message in chunks]
        assert offsets == sorted(offsets)
        assert unpack(done.sent[1].body) == {"path": "/f", "src_path": "/f", "mode": 0o600}

    def test_pings_during_a_transfer_are_answered(self) -> None:
        ping = Message(Proto.CONTROL, "ping")
        done = Exchange(transfer.download("/f", head=True), [ACCEPT, ping, info()])

        assert done.types == ["open", "stat", "pong", "close"]

    @pytest.mark.parametrize(
        ("answers", "status", "text"),
        [
            ([Message(Proto.CONTROL, "error", body=pack({"err": "busy"}))], 500, "busy"),
            ([Message(Proto.CONTROL, "error", body=pack({"err": "busy", "code": 429}))], 429, "busy"),
            ([Message(Proto.CONTROL, "accept", body=pack({"protocols": [1]}))], 502, "device does not support"),
            ([Message(Proto.SHELL, "new")], 502, "device does not support"),
            ([ACCEPT, failure("no such file")], 400, "no such file"),
            ([ACCEPT, info(mode=0o644 | 1 << 31)], 400, "not a regular file"),
            ([ACCEPT, info(mode=0o777 | 1 << 27)], 400, "not a regular file"),
            ([ACCEPT, info(), chunk(0, b"abc"), chunk(9, b"def")], 500, "offset"),
            ([ACCEPT, info(), chunk(0, b"abc"), Message(Proto.CONTROL, "close")], 500, "ended the session"),
            ([ACCEPT, info(), Message(Proto.FILE_TRANSFER, "odd")], 500, "unexpected message"),
        ],
    )
    def test_errors_during_a_transfer(self, answers: list[Message], status: int, text: str) -> None:
        with pytest.raises(TransferError, match=text) as error:
            Exchange(transfer.download("/f"), answers)
        assert error.value.status == status

    def test_an_upload_that_the_device_refuses(self) -> None:
        with pytest.raises(TransferError, match="read-only") as error:
            Exchange(transfer.upload("/f"), [ACCEPT, failure("read-only file system")], b"x")
        assert error.value.status == 400


class TestRecordings:
    def test_a_recording_can_be_played(self) -> None:
        parts = [
            recording.Part(1000, width=80, height=24),
            recording.Part(1100, b"$ "),
            recording.Part(9000, b"ls\r\n"),
        ]

        played = list(recording.messages(recording.unpack(recording.pack(parts)), "s"))

        assert [message.typ for message in played] == ["resize", "shell", "delay", "shell"]
        assert played[0].props == {"terminal_width": 80, "terminal_height": 24}
        assert played[2].props == {"delay_value": 7900}
        assert (played[1].body, played[3].body) == (b"$ ", b"ls\r\n")

    @pytest.mark.parametrize("props", [{}, {"terminal_width": 80}, {"terminal_width": "80", "terminal_height": 0}])
    def test_an_invalid_terminal_size(self, props: dict[str, Any]) -> None:
        assert recording.resized(0, Message(1, "resize", props=props)) is None
