"""Uploads through the relay: forms too large for a Lambda function are streamed to the bucket."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest

from chalicelib.tenantadm.service import Tenant
from infra.local.testing import LocalServer
from infra.relay import uploads
from infra.relay.app import Relay
from tests.artifacts.catalog import ARTIFACTS, Catalog, large_artifact
from tests.conftest import SignIn
from tests.deviceconnect.relay import RelayProcess
from tests.simulator.artifacts import build_artifact

CLI = shutil.which("mender-cli")
GOOD = build_artifact("relayed", ["pi"], b"r" * 5000)
T = TypeVar("T")


@pytest.fixture(scope="module")
def relay(server: LocalServer) -> Iterator[RelayProcess]:
    with RelayProcess(server.url) as running:
        yield running


@pytest.fixture
def through(catalog: Catalog, relay: RelayProcess) -> Iterator[httpx2.Client]:
    """A client of the tenant's administrator that calls the relay."""
    with httpx2.Client(base_url=relay.url, headers=dict(catalog.api.headers), timeout=60) as client:
        yield client


def while_working(server: LocalServer, call: Callable[[], T]) -> T:
    """The result of a call while the queue workers run."""
    with ThreadPoolExecutor(1) as thread:
        called = thread.submit(call)
        while not called.done():
            server.drain()
        return called.result()


def form(data: bytes, *, boundary: str = "frontier", **fields: str) -> bytes:
    """A form as clients send it: first the fields, then the file."""
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="artifact"; filename="a.mender"\r\n'
    start = "".join([*parts, head, "Content-Type: application/octet-stream\r\n\r\n"]).encode()
    return start + data + f"\r\n--{boundary}--\r\n".encode()


def post(through: httpx2.Client, body: bytes, *, chunked: bool = False) -> httpx2.Response:
    pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
    headers = {"Content-Type": "multipart/form-data; boundary=frontier"}
    return through.post(ARTIFACTS, content=pieces if chunked else body, headers=headers)


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("sized", [False, True], ids=["no-size", "size"])
def test_an_upload_becomes_an_artifact(
    catalog: Catalog, server: LocalServer, through: httpx2.Client, chunked: bool, sized: bool
) -> None:
    fields = {"size": str(len(GOOD))} if sized else {}
    body = form(GOOD, description="--frontier in the relay", **fields)

    answer = while_working(server, lambda: post(through, body, chunked=chunked))

    assert answer.status_code == 201, answer.text
    (shown,) = catalog.get(ARTIFACTS)
    assert answer.headers["Location"] == f"{ARTIFACTS}/{shown['id']}"
    assert (shown["name"], shown["description"], shown["size"]) == ("relayed", "--frontier in the relay", len(GOOD))
    assert httpx2.get(catalog.get(f"{ARTIFACTS}/{shown['id']}/download")["uri"]).content == GOOD


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        pytest.param({}, b"garbage" * 1000, id="garbage"),
        pytest.param({}, GOOD[:-3000], id="cut-short"),
        pytest.param({"size": str(len(GOOD) + 1)}, GOOD, id="shorter-than-its-size"),
        pytest.param({"size": "many"}, GOOD, id="no-number"),
        pytest.param({"size": str(2**40)}, GOOD, id="larger-than-artifacts-may-be"),
        pytest.param({"description": "x" * 5000}, GOOD, id="long-description"),
        pytest.param({"artifact_id": "42"}, GOOD, id="no-uuid"),
    ],
)
def test_refusals_of_the_api_are_passed_on(
    catalog: Catalog, server: LocalServer, through: httpx2.Client, fields: dict[str, str], data: bytes
) -> None:
    body = form(data, **fields)
    direct = catalog.api.post(
        ARTIFACTS, content=body, headers={"Content-Type": "multipart/form-data; boundary=frontier"}
    )

    answer = while_working(server, lambda: post(through, body))

    assert answer.status_code == direct.status_code in (400, 413)
    assert answer.json()["error"] == direct.json()["error"]
    assert answer.json()["request_id"] == answer.headers["X-MEN-RequestID"]
    assert catalog.get(ARTIFACTS) == []


def test_an_artifact_that_exists_is_a_conflict(catalog: Catalog, server: LocalServer, through: httpx2.Client) -> None:
    catalog.put("relayed", payload=b"another")
    direct = catalog.send(GOOD)

    answer = while_working(server, lambda: post(through, form(GOOD)))

    assert answer.status_code == direct.status_code == 409
    assert {**answer.json(), "request_id": ""} == {**direct.json(), "request_id": ""}
    assert "metadata" in answer.json()
    assert len(catalog.get(ARTIFACTS)) == 1


def test_a_chosen_id_can_be_used_once(catalog: Catalog, server: LocalServer, through: httpx2.Client) -> None:
    wanted = "0f0f0f0f-0000-4000-8000-000000000001"
    body = form(GOOD, artifact_id=wanted)

    first = while_working(server, lambda: post(through, body))
    again = while_working(server, lambda: post(through, body))

    assert first.headers["Location"] == f"{ARTIFACTS}/{wanted}"
    assert (again.status_code, again.json()["error"]) == (409, "an artifact with this ID already exists")


def test_a_slow_upload_is_answered_before_it_is_verified(catalog: Catalog, server: LocalServer) -> None:
    with (
        RelayProcess(server.url, RELAY_PATIENCE="0.5") as hasty,
        httpx2.Client(base_url=hasty.url, headers=dict(catalog.api.headers), timeout=60) as client,
    ):
        answer = post(client, form(GOOD))
    assert answer.status_code == 202
    assert catalog.api.get(answer.headers["Location"]).status_code == 404

    server.drain()

    assert catalog.get(answer.headers["Location"])["name"] == "relayed"


def test_other_requests_for_the_path_are_passed_on_to_the_api(catalog: Catalog, through: httpx2.Client) -> None:
    """An edge that routes by path alone also sends requests for lists to the relay."""
    catalog.put("one")
    catalog.put("two")

    assert through.get(ARTIFACTS, params={"name": "two"}).json() == catalog.get(ARTIFACTS, name="two")
    assert through.delete(ARTIFACTS).status_code == 405
    assert through.get(ARTIFACTS, headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_user_without_permission_gets_403(relay: RelayProcess, catalog: Catalog) -> None:
    with httpx2.Client(base_url=relay.url, timeout=60) as stranger:
        answer = post(stranger, form(b"x" * 20_000_000))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"]
    assert catalog.is_empty()


def test_a_form_without_a_file_is_refused(through: httpx2.Client, catalog: Catalog) -> None:
    body = b'--frontier\r\nContent-Disposition: form-data; name="size"\r\n\r\n1\r\n--frontier--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=frontier"}
    direct = catalog.api.post(ARTIFACTS, content=body, headers=headers)

    answer = post(through, body)

    assert answer.status_code == direct.status_code == 400
    assert answer.json()["error"] == direct.json()["error"]


def test_a_large_file_needs_the_field_size(through: httpx2.Client, catalog: Catalog) -> None:
    answer = post(through, form(b"x" * 9_000_000), chunked=True)

    assert answer.status_code == 411
    assert "size" in answer.json()["error"]
    assert catalog.get(ARTIFACTS) == []


class Upload:
    """An upload that stops in the middle of its file until its client disconnects."""

    def __init__(self, api: uploads.Api, token: str) -> None:
        self._relay = Relay(None, None, api)  # type: ignore[arg-type]  # it serves uploads only
        self._token = token
        self._messages = [{"type": "http.request", "body": form(GOOD)[:1000], "more_body": True}]
        self.is_slow, self.gone = asyncio.Event(), asyncio.Event()
        self.status = 0

    async def run(self) -> None:
        headers = {"authorization": self._token, "content-type": "multipart/form-data; boundary=frontier"}
        headers["content-length"] = str(len(form(GOOD)))
        scope = {"type": "http", "method": "POST", "path": ARTIFACTS, "query_string": b"", "client": ("127.0.0.1", 1)}
        lines = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._relay(scope | {"headers": lines}, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self._messages:
            return self._messages.pop()
        self.is_slow.set()
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)


def test_slow_uploads_with_one_token_do_not_block_others(
    api: httpx2.Client, sign_in: SignIn, tenant: Tenant, server: LocalServer
) -> None:
    mine, another = (client.headers["Authorization"] for client in (api, sign_in(tenant)))

    async def scenario() -> list[int]:
        relayed = uploads.Api(server.url)

        async def broken_off(token: str) -> int:
            upload = Upload(relayed, token)
            upload.gone.set()
            await upload.run()
            return upload.status

        token = mine.partition(" ")[2]
        slow = [Upload(relayed, f"{scheme} {token}") for scheme in ("Bearer", "bearer", "BEARER", "bEARER")]
        running = [asyncio.create_task(each.run()) for each in slow]
        for each in slow:
            await each.is_slow.wait()
        late, other = await broken_off(mine), await broken_off(another)
        for each in slow:
            each.gone.set()
        await asyncio.gather(*running)
        return [late, other, await broken_off(mine)]

    # 400: the answer to those that were accepted and then disconnected.
    assert asyncio.run(asyncio.wait_for(scenario(), 60)) == [429, 400, 400]


def test_an_endless_file_is_cancelled(catalog: Catalog, server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SECONDS", 0.2)
    monkeypatch.setattr(uploads, "LINGER_SECONDS", 0.1)

    async def scenario() -> int:
        upload = Upload(uploads.Api(server.url), catalog.api.headers["Authorization"])
        await asyncio.wait_for(upload.run(), 30)
        return upload.status

    assert asyncio.run(scenario()) == 408


@pytest.mark.clients
@pytest.mark.skipif(CLI is None, reason="mender-cli is not installed")
def test_mender_cli_uploads_files_too_large_for_a_function(
    catalog: Catalog, server: LocalServer, relay: RelayProcess, tmp_path: Path
) -> None:
    """50 MB, twice, and once with a damaged byte; the relay keeps none of it in memory."""
    token = catalog.api.headers["Authorization"].removeprefix("Bearer ")
    file = tmp_path / "large.mender"
    with file.open("wb") as target:
        target.writelines(large_artifact("large", 50))

    def upload() -> subprocess.CompletedProcess[str]:
        place = ["--server", relay.url, "--token-value", token]
        return subprocess.run(
            [str(CLI), *place, "artifacts", "upload", "--no-progress", str(file)],
            env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    before = peak(relay)
    first = while_working(server, upload)
    grown = peak(relay) - before
    again = while_working(server, upload)
    with file.open("r+b") as damaged:
        damaged.seek(20_000_000)
        damaged.write(b"?")
    broken = while_working(server, upload)

    assert first.returncode == 0, first.stdout + first.stderr
    assert [row["size"] for row in catalog.get(ARTIFACTS)] == [file.stat().st_size]
    assert (again.returncode, "409" in again.stdout + again.stderr) == (1, True)
    assert (broken.returncode, "400" in broken.stdout + broken.stderr) == (1, True)
    assert grown < 16_000_000


def peak(relay: RelayProcess) -> int:
    """The peak of its memory, in bytes."""
    status = Path(f"/proc/{relay.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024
