"""Direct uploads: by a link, past the API; and what the schedule tidies up after uploads of any kind."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib import limits
from chalicelib.errors import Unavailable
from chalicelib.http import refusals
from tests.artifacts.shelf import ARTIFACTS, Shelf, bucket, bucket_name
from tests.simulator.artifacts import build_artifact
from tests.support import probe
from tests.support.crashes import PowerCutError, power_cut

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

GOOD = build_artifact("direct", ["pi"], b"d" * 5000)
TYPE = {"Content-Type": "application/vnd.mender-artifact"}


def request(shelf: Shelf) -> dict[str, Any]:
    answer = shelf.api.post(f"{ARTIFACTS}/directupload", headers={"Content-Type": "application/json; charset=UTF-8"})
    assert answer.status_code == 200, answer.text
    link: dict[str, Any] = answer.json()
    return link


def put(link: dict[str, Any], data: bytes) -> None:
    answer = httpx2.put(link["uri"], content=data, headers=TYPE | link["header"])
    assert answer.status_code == 200, answer.text


def complete(shelf: Shelf, link: dict[str, Any], **body: Any) -> httpx2.Response:
    return shelf.api.post(f"{ARTIFACTS}/directupload/{link['id']}/complete", **body)


def uploaded(shelf: Shelf, server: LocalServer, data: bytes = GOOD) -> dict[str, Any]:
    """A direct upload, complete and verified."""
    link = request(shelf)
    put(link, data)
    assert complete(shelf, link).status_code == 202
    server.drain()
    return link


def verdict(shelf: Shelf, link: dict[str, Any]) -> dict[str, Any]:
    """What the API says became of an upload."""
    found: dict[str, Any] = shelf.get(f"{ARTIFACTS}/directupload/{link['id']}")
    assert found.pop("id") == link["id"]
    return found


def upload_of(shelf: Shelf, link: dict[str, Any]) -> Any:
    from chalicelib.artifacts.tables import uploads

    return uploads.find(shelf.tenant, link["id"])


def tick(after: timedelta = timedelta()) -> None:
    from chalicelib import clock
    from chalicelib.artifacts import service

    service.tick(clock.now() + after)


def when_dead() -> timedelta:
    """From now until nothing can be written by a link of now any more."""
    from chalicelib import settings

    return timedelta(seconds=settings.current().upload_link_life + limits.UPLOAD_MARGIN + 1)


def test_a_link_is_what_clients_expect(shelf: Shelf) -> None:
    link = request(shelf)

    assert sorted(link) == ["expire", "header", "id", "method", "uri"]
    assert (link["method"], link["header"]) == ("PUT", {})
    assert uuid.UUID(link["id"])
    assert f"/{shelf.tenant}/artifacts/{link['id']}?" in link["uri"]
    assert link["expire"].endswith("Z")


def test_an_upload_becomes_the_artifact_that_was_announced(shelf: Shelf, server: LocalServer) -> None:
    link = request(shelf)
    assert verdict(shelf, link) == {"status": "pending"}
    put(link, GOOD)
    assert shelf.get(ARTIFACTS) == [], "not before it is verified"

    # What mender-cli sends along says nothing that the file itself does not say.
    about = {"size": 1, "updates": [{"type_info": {"type": None}, "files": []}]}
    assert complete(shelf, link, json=about).status_code == 202
    assert verdict(shelf, link) == {"status": "verifying"}
    server.drain()
    assert verdict(shelf, link) == {"status": "accepted"}

    (shown,) = shelf.get(ARTIFACTS)
    assert (shown["id"], shown["name"], shown["size"]) == (link["id"], "direct", len(GOOD))
    assert shelf.usage() == len(GOOD)
    assert complete(shelf, link).status_code == 202, "again is fine"
    server.drain()
    assert len(shelf.get(ARTIFACTS)) == 1


def test_an_upload_that_was_not_asked_for_is_not_found(shelf: Shelf) -> None:
    through_the_api = shelf.put("app")

    for upload_id in (str(uuid.uuid4()), "42", through_the_api):
        answer = shelf.api.post(f"{ARTIFACTS}/directupload/{upload_id}/complete")
        assert answer.status_code == 404, answer.text
    assert shelf.api.get(f"{ARTIFACTS}/directupload/{uuid.uuid4()}").status_code == 404


def test_an_upload_may_be_announced_with_the_fields_of_a_form(shelf: Shelf, server: LocalServer) -> None:
    wanted = str(uuid.uuid4())
    about = {"artifact_id": wanted, "description": "announced", "size": str(len(GOOD))}
    answer = shelf.api.post(f"{ARTIFACTS}/directupload", json=about)
    assert answer.json()["id"] == wanted
    put(answer.json(), GOOD)
    complete(shelf, answer.json())
    server.drain()

    (shown,) = shelf.get(ARTIFACTS)
    assert (shown["id"], shown["description"]) == (wanted, "announced")
    refused: tuple[tuple[dict[str, Any], int], ...] = (
        (about, 409),
        ({"artifact_id": "42"}, 400),
        ({"size": "-1"}, 400),
        ({"size": str(limits.ARTIFACT_UPLOAD + 1)}, 413),
        ({"description": ["no text"]}, 400),
    )
    for announced, status in refused:
        assert shelf.api.post(f"{ARTIFACTS}/directupload", json=announced).status_code == status


def test_a_tenants_uploads_are_its_own(shelf: Shelf, sign_in: Any) -> None:
    from chalicelib.tenantadm import service as tenantadm

    other = tenantadm.create_tenant("Other")
    link = request(shelf)

    stranger = Shelf(sign_in(other), other.id)
    assert complete(stranger, link).status_code == 404
    assert stranger.api.get(f"{ARTIFACTS}/directupload/{link['id']}").status_code == 404


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"garbage" * 1000, "reading artifact error", id="garbage"),
        pytest.param(GOOD[:-3000], "reading artifact error", id="cut-short"),
        pytest.param(b"", "reading artifact error", id="empty"),
        pytest.param(None, "there is no object", id="nothing"),
    ],
)
def test_what_is_no_artifact_never_becomes_one(
    shelf: Shelf, server: LocalServer, data: bytes | None, reason: str
) -> None:
    link = request(shelf)
    if data is not None:
        put(link, data)
    assert complete(shelf, link).status_code == 202

    server.drain()

    assert shelf.get(ARTIFACTS) == []
    assert shelf.objects() == set()
    assert (upload_of(shelf, link).status, shelf.usage()) == ("failed", 0)
    answer = complete(shelf, link)
    assert answer.status_code == 409
    assert reason in answer.json()["error"]
    refused = verdict(shelf, link)
    assert (refused["status"], refused["refusal"]["status"]) == ("refused", 404 if data is None else 400)
    assert reason in refused["refusal"]["error"]
    # The link is still alive: what is written by it now is garbage.
    put(link, GOOD)
    tick(when_dead())
    assert shelf.objects() == set()
    assert shelf.rows() == []
    assert complete(shelf, link).status_code == 404


def test_a_name_that_is_taken_fails_the_upload(shelf: Shelf, server: LocalServer) -> None:
    kept = shelf.put("direct", payload=b"first")

    link = uploaded(shelf, server)

    assert [row["id"] for row in shelf.get(ARTIFACTS)] == [kept]
    assert upload_of(shelf, link).reason == "an artifact with the same name and depends already exists"
    assert len(shelf.objects()) == 1


def test_a_file_beyond_the_tenants_room_fails_the_upload(shelf: Shelf, server: LocalServer) -> None:
    from chalicelib.tenantadm import service as tenantadm

    tenantadm.set_limits(shelf.tenant, storage_limit=len(GOOD) - 1)

    link = uploaded(shelf, server)

    assert upload_of(shelf, link).reason == "Artifact file too large"
    assert (shelf.objects(), shelf.usage()) == (set(), 0)


def test_verifying_twice_makes_one_artifact(shelf: Shelf) -> None:
    from chalicelib.artifacts import service

    link = request(shelf)
    put(link, GOOD)

    for _ in range(3):
        service.verify(shelf.tenant, link["id"], refusals.to_store)

    assert len(shelf.get(ARTIFACTS)) == 1
    assert shelf.usage() == len(GOOD)
    assert upload_of(shelf, link).status == "done"


@pytest.mark.parametrize("answered", [False, True])
def test_a_worker_that_dies_anywhere_is_followed_by_one_that_makes_the_artifact(shelf: Shelf, answered: bool) -> None:
    from chalicelib.artifacts import service

    for number in range(1, 20):
        link = request(shelf)
        put(link, build_artifact(f"direct-{number}", ["pi"]))
        with power_cut(number, answered=answered) as cut, suppress(PowerCutError):
            service.verify(shelf.tenant, link["id"], refusals.to_store)
        service.verify(shelf.tenant, link["id"], refusals.to_store)

        assert len(shelf.get(ARTIFACTS)) == number
        assert shelf.usage() == sum(each["size"] for each in shelf.get(ARTIFACTS))
        assert upload_of(shelf, link).status == "done"
        if not cut.happened:
            return
    pytest.fail("it never came through")


def test_links_serve_what_was_verified_whatever_is_written_later(shelf: Shelf, server: LocalServer) -> None:
    from chalicelib.artifacts import service

    link = uploaded(shelf, server)
    evil = build_artifact("direct", ["pi"], b"evil")

    put(link, evil)
    bucket().put_object(Bucket=bucket_name(), Key=f"{shelf.tenant}/artifacts/{link['id']}", Body=b"more evil")

    (candidate,) = service.candidates(shelf.tenant, "direct")
    for uri in (
        service.device_link(shelf.tenant, candidate).uri,
        shelf.get(f"{ARTIFACTS}/{link['id']}/download")["uri"],
    ):
        assert httpx2.get(uri).content == GOOD
    # The bucket expires versions that are not the newest: once the link is dead the verified one is put back.
    tick(when_dead())
    assert verdict(shelf, link) == {"status": "accepted"}, "also when its announcement is forgotten"
    newest = bucket().get_object(Bucket=bucket_name(), Key=f"{shelf.tenant}/artifacts/{link['id']}")
    assert newest["Body"].read() == GOOD
    assert newest["VersionId"] == candidate.version
    assert shelf.rows() == ["ARTIFACT", "RELEASE"]


def test_an_upload_that_is_never_complete_expires(shelf: Shelf) -> None:
    link = request(shelf)
    put(link, GOOD)

    tick(when_dead() - timedelta(seconds=30))
    assert shelf.objects(), "not yet"
    tick(when_dead())

    assert shelf.objects() == set()
    assert shelf.rows() == []
    assert complete(shelf, link).status_code == 404


def test_an_upload_that_is_complete_has_time_to_be_verified(shelf: Shelf, server: LocalServer) -> None:
    link = request(shelf)
    put(link, GOOD)
    assert complete(shelf, link).status_code == 202

    tick(when_dead())
    server.drain()

    assert shelf.names() == ["direct"]


def test_a_message_that_comes_after_the_end_makes_nothing(shelf: Shelf, server: LocalServer) -> None:
    link = request(shelf)
    put(link, GOOD)
    assert complete(shelf, link).status_code == 202
    tick(timedelta(seconds=limits.UPLOAD_VERIFICATION + 1) + when_dead())

    server.drain()

    assert shelf.get(ARTIFACTS) == []
    assert (shelf.objects(), shelf.rows(), shelf.usage()) == (set(), [], 0)


def test_what_a_crash_left_of_an_upload_through_the_api_is_tidied_up(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.artifacts import service
    from chalicelib.storage.transactions import Transaction

    def no_power(_tx: Transaction) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Transaction, "commit", no_power)
    with pytest.raises(KeyboardInterrupt):
        service.upload(shelf.tenant, {}, [GOOD])
    monkeypatch.undo()
    assert (len(shelf.objects()), shelf.rows()) == (1, ["UPLOAD"])

    tick(timedelta(seconds=limits.UPLOAD_LIFE + 1))

    assert (shelf.objects(), shelf.rows(), shelf.usage()) == (set(), [], 0)
    shelf.put("direct")


def test_an_answer_that_was_lost_does_not_lose_the_artifact(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.artifacts import service
    from chalicelib.storage.transactions import Transaction

    commit = Transaction.commit

    def deaf(tx: Transaction) -> None:
        commit(tx)
        raise Unavailable

    monkeypatch.setattr(Transaction, "commit", deaf)
    with pytest.raises(Unavailable):
        service.upload(shelf.tenant, {}, [GOOD])
    monkeypatch.undo()

    tick(timedelta(seconds=limits.UPLOAD_LIFE + 1))
    (shown,) = shelf.get(ARTIFACTS)
    assert httpx2.get(shelf.get(f"{ARTIFACTS}/{shown['id']}/download")["uri"]).content == GOOD
    assert len(shelf.objects()) == 1


def test_a_deleted_artifacts_object_goes_with_it(shelf: Shelf, server: LocalServer) -> None:
    through_the_api = shelf.put("app")
    link = uploaded(shelf, server)

    for artifact_id in (through_the_api, link["id"]):
        assert shelf.api.delete(f"{ARTIFACTS}/{artifact_id}").status_code == 204

    assert (shelf.objects(), shelf.usage()) == (set(), 0)
    assert shelf.rows() == ["UPLOAD"], "the link is still alive"
    put(link, GOOD)
    tick(when_dead())
    assert (shelf.objects(), shelf.rows()) == (set(), [])


def test_an_object_that_survived_a_crash_of_its_deletion_goes_later(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.artifacts import service
    from chalicelib.aws import s3

    artifact_id = shelf.put("app")

    def no_power(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(s3, "delete", no_power)
    with pytest.raises(KeyboardInterrupt):
        service.delete(shelf.tenant, artifact_id)
    monkeypatch.undo()
    assert (len(shelf.objects()), shelf.rows()) == (1, ["UPLOAD"])

    tick(timedelta(seconds=limits.UPLOAD_MARGIN + 1))

    assert (shelf.objects(), shelf.rows()) == (set(), [])


def test_a_tick_asks_for_what_is_due_only(shelf: Shelf) -> None:
    tick(timedelta(days=400))
    for number in range(3):
        shelf.put(f"app-{number}")
        request(shelf)

    with probe.counted() as cost:
        tick()

    assert cost.calls == ["Query"] * 8
