"""Names of files on devices: names of any bytes work, and cannot inject headers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.deviceconnect.rules.envelope import Message, pack, unpack
from tests.deviceconnect.peers import FakeDevice
from tests.support.waiting import until


def place(front: str, device) -> str:
    return f"{front}/api/management/v1/deviceconnect/devices/{device.id}"


@pytest.mark.parametrize(
    ("name", "disposition", "path"),
    [
        ("a\nb.txt", 'attachment; filename="a_b.txt"', "/tmp/a%0Ab.txt"),
        ("a\tb\x7f.txt", 'attachment; filename="a_b_.txt"', "/tmp/a%09b%7F.txt"),
        (
            "größe.txt",
            "attachment; filename=\"gr__e.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt",
            "/tmp/gr%C3%B6%C3%9Fe.txt",
        ),
        ("x" * 4000, f'attachment; filename="{"x" * 120}"', None),
    ],
    ids=["b3-newline", "b3-tab", "b4-umlaut", "b3-long"],
)
def test_a_file_with_any_name_can_be_downloaded(api, front, device, connected, name, disposition, path):
    connected.files[f"/tmp/{name}"] = b"content"
    answer = api.get(f"{place(front, device)}/download", params={"path": f"/tmp/{name}"})
    assert (answer.status_code, answer.content) == (200, b"content")
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers.get("x-men-file-path") == path
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_device_that_answers_with_another_name(api, front, device):
    class Lying(FakeDevice):
        def _2_stat(self, message: Message) -> None:
            told = {
                "path": '/x\r\nSet-Cookie: a="b\ud83d'.encode("utf-8", "replace").decode(),
                "size": 0,
                "mode": 0o644,
            }
            self._reply(message, "file_info", body=pack(told))

    with Lying(front, device.token) as fake:
        fake.files["/f"] = b""
        answer = api.get(f"{place(front, device)}/download", params={"path": "/f"})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("offset", ["x", None, [], 1.5, -1, {"a": 1}], ids=repr)
def test_a_device_that_acknowledges_nonsense(api, front, device, offset):
    class Odd(FakeDevice):
        def _2_file_chunk(self, message: Message) -> None:
            self._reply(message, "ack", props={"offset": offset})
            super()._2_file_chunk(message)

    with Odd(front, device.token) as fake:
        answer = api.put(f"{place(front, device)}/upload", files={"path": (None, "/f"), "file": ("f", b"x")})
        assert (answer.status_code, answer.text) == (201, "")
        until("the device has the file", lambda: fake.files == {"/f": b"x"})  # it acknowledged before it had it


@pytest.mark.parametrize("protocols", [5, None, "2", {"2": 2}], ids=repr)
def test_a_device_that_lists_no_protocols(api, front, device, protocols):
    class Odd(FakeDevice):
        def _65535_open(self, message: Message) -> None:
            self._reply(message, "accept", body=pack({"version": 1, "protocols": protocols}))

    with Odd(front, device.token):
        answer = api.get(f"{place(front, device)}/download", params={"path": "/f"})
    assert (answer.status_code, answer.json()["error"]) == (502, "device does not support file transfer")


@pytest.mark.parametrize(
    ("field", "value"), [("uid", "1_0"), ("gid", "\u0663"), ("mode", "0o644"), ("mode", "-0"), ("uid", " 1")]
)
def test_numbers_in_python_notation_are_refused(api, front, device, connected, field, value):
    form = {"path": (None, "/f"), field: (None, value), "file": ("f", b"x")}
    answer = api.put(f"{place(front, device)}/upload", files=form)
    assert (answer.status_code, answer.json()["error"]) == (400, f"{field}: must be a number")


@pytest.mark.parametrize("path", ["/tmp/%FF.txt", "/tmp/%C3%28", "/tmp/%ED%A0%BD", "/a%00b", "/" + "x" * 5000])
def test_a_name_that_is_not_utf8_is_refused(api, front, device, connected, path):
    answer = api.get(f"{place(front, device)}/download?path={path}")
    assert answer.status_code == 400
    assert "path" in answer.json()["error"]
    assert [message for message in connected.heard if message.typ in {"stat", "get_file"}] == []


def test_an_upload_to_a_name_that_is_not_utf8_is_refused(api, front, device, connected):
    form = b'--b\r\nContent-Disposition: form-data; name="path"\r\n\r\n/tmp/\xff.txt\r\n'
    form += b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = api.put(f"{place(front, device)}/upload", content=form, headers=headers)
    assert answer.status_code == 400
    assert "path" in answer.json()["error"]
    assert connected.files == {}


def test_an_upload_whose_file_has_a_name_in_latin_1(api, front, device, connected):
    form = b'--b\r\nContent-Disposition: form-data; name="path"\r\n\r\n/tmp/x\r\n'
    form += b'--b\r\nContent-Disposition: form-data; name="file"; filename="f\xe4"\r\n\r\nx\r\n--b--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = api.put(f"{place(front, device)}/upload", content=form, headers=headers)
    assert answer.status_code == 201, answer.text
    assert connected.files == {"/tmp/x": b"x"}


def test_a_download_ends_when_the_device_disconnects(api, front, device):
    class Silent(FakeDevice):
        def _2_stat(self, message: Message) -> None:
            self.asked = unpack(message.body)["path"]

    with ThreadPoolExecutor(1) as threads, Silent(front, device.token) as fake:
        asking = threads.submit(api.get, f"{place(front, device)}/download?path=/f", timeout=30)
        fake.wait_for(lambda message: message.typ == "stat")
        fake.drop()
        answer = asking.result()
    # If the disconnect were not noticed, this would be 408 after the timeout of one step.
    assert (answer.status_code, answer.json()["error"]) == (409, "device disconnected")
