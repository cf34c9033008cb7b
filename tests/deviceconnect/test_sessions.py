"""Sessions between users and devices, over the websockets of the local gateway."""

from __future__ import annotations

from chalicelib.deviceconnect.rules.envelope import Message
from tests.deviceconnect.peers import SHELL, hear, hear_all, opened, say, user_path
from tests.support.waiting import until


def test_a_terminal(front, api, device, connected, token):
    place = f"/api/management/v1/deviceconnect/devices/{device.id}"
    assert api.get(place).json()["status"] == "connected"
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new", props={"terminal_width": 80, "terminal_height": 24}))
        started = hear(user)
        assert (started.typ, started.props["status"], started.body) == ("new", 1, b"Shell started")
        say(user, Message(SHELL, "shell", body=b"uname -a\n"))
        assert hear(user).body == b"uname -a\n"
        me = api.get("/api/management/v1/useradm/users/me").json()["id"]
        asked = connected.wait_for(lambda message: message.typ == "shell")
        assert asked.props["user_id"] == me
        assert asked.sid == started.sid
    stop = connected.wait_for(lambda message: message.typ == "stop")
    assert (stop.sid, stop.props["status"], stop.body) == (started.sid, 2, b"user disconnected")


def test_files(front, api, device, connected):
    place = front + f"/api/management/v1/deviceconnect/devices/{device.id}"
    data = bytes(range(256)) * 1000
    form = {"path": (None, "/tmp/x"), "mode": (None, "644"), "file": ("x", data)}
    assert api.put(f"{place}/upload", files=form).status_code == 201
    assert connected.files == {"/tmp/x": data}
    answer = api.get(f"{place}/download", params={"path": "/tmp/x"})
    assert answer.status_code == 200
    assert answer.content == data
    assert answer.headers["X-MEN-File-Mode"] == "644"


def test_a_session_is_recorded_and_played_back(front, api, device, connected, token):
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new", props={"terminal_width": 80, "terminal_height": 24}))
        session = hear(user).sid
        for line in (b"uname -a\n", b"exit\n"):
            say(user, Message(SHELL, "shell", body=line))
            assert hear(user).body == line
    connected.wait_for(lambda message: message.typ == "stop")
    place = f"/api/management/v1/deviceconnect/sessions/{session}"
    until("the recording is in the bucket", lambda: api.get(f"{place}/recording").status_code == 200)

    with opened(front, f"{place}/playback?sleep_ms=0", token) as player:
        played, code = hear_all(player)
    assert code == 1000
    assert played[0].typ == "resize"
    assert b"".join(message.body for message in played if message.typ == "shell") == b"uname -a\nexit\n"
    assert {message.sid for message in played} == {session}
