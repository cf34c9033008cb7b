"""Direct uploads through a link to the bucket, and what the schedule cleans up after uploads of any kind."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib import clock, limits, settings
from chalicelib.artifacts import service
from chalicelib.artifacts.tables import uploads
from chalicelib.aws import s3
from chalicelib.errors import Unavailable
from chalicelib.http import refusals
from chalicelib.storage.transactions import Transaction
from chalicelib.tenantadm import service as tenantadm
from tests.artifacts.catalog import ARTIFACTS, Catalog, bucket, bucket_name
from tests.simulator.artifacts import build_artifact
from tests.support import probe
from tests.support.crashes import PowerCutError, power_cut

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

GOOD = build_artifact("direct", ["pi"], b"d" * 5000)
TYPE = {"Content-Type": "application/vnd.mender-artifact"}


def request(catalog: Catalog) -> dict[str, Any]:
    answer = catalog.api.post(f"{ARTIFACTS}/directupload", headers={"Content-Type": "application/json; charset=UTF-8"})
    assert answer.status_code == 200, answer.text
    link: dict[str, Any] = answer.json()
    return link


def put(link: dict[str, Any], data: bytes) -> None:
    answer = httpx2.put(link["uri"], content=data, headers=TYPE | link["header"])
    assert answer.status_code == 200, answer.text


def complete(catalog: Catalog, link: dict[str, Any], **body: Any) -> httpx2.Response:
    return catalog.api.post(f"{ARTIFACTS}/directupload/{link['id']}/complete", **body)


def uploaded(catalog: Catalog, server: LocalServer, data: bytes = GOOD) -> dict[str, Any]:
    """A direct upload, complete and verified."""
    link = request(catalog)
    put(link, data)
    assert complete(catalog, link).status_code == 202
    server.drain()
    return link


def result(catalog: Catalog, link: dict[str, Any]) -> dict[str, Any]:
    """The result of an upload, from the API."""
    found: dict[str, Any] = catalog.get(f"{ARTIFACTS}/directupload/{link['id']}")
    assert found.pop("id") == link["id"]
    return found


def upload_of(catalog: Catalog, link: dict[str, Any]) -> Any:
    return uploads.find(catalog.tenant, link["id"])


def tick(after: timedelta = timedelta()) -> None:
    service.tick(clock.now() + after)


def when_dead() -> timedelta:
    """The time until a link that is issued now has expired."""
    return timedelta(seconds=settings.current().upload_link_life + limits.UPLOAD_MARGIN + 1)


def test_a_link_has_the_form_that_clients_expect(catalog: Catalog) -> None:
    link = request(catalog)

    assert sorted(link) == ["expire", "header", "id", "method", "uri"]
    assert (link["method"], link["header"]) == ("PUT", {})
    assert uuid.UUID(link["id"])
    assert f"/{catalog.tenant}/artifacts/{link['id']}?" in link["uri"]
    assert link["expire"].endswith("Z")


def test_an_upload_becomes_the_artifact_that_was_announced(catalog: Catalog, server: LocalServer) -> None:
    link = request(catalog)
    assert result(catalog, link) == {"status": "pending"}
    put(link, GOOD)
    assert catalog.get(ARTIFACTS) == [], "no artifact before it is verified"

    # What mender-cli sends in addition is ignored; the file itself says the same.
    about = {"size": 1, "updates": [{"type_info": {"type": None}, "files": []}]}
    assert complete(catalog, link, json=about).status_code == 202
    assert result(catalog, link) == {"status": "verifying"}
    server.drain()
    assert result(catalog, link) == {"status": "accepted"}

    (shown,) = catalog.get(ARTIFACTS)
    assert (shown["id"], shown["name"], shown["size"]) == (link["id"], "direct", len(GOOD))
    assert catalog.usage() == len(GOOD)
    assert complete(catalog, link).status_code == 202, "repeating it is fine"
    server.drain()
    assert len(catalog.get(ARTIFACTS)) == 1


def test_an_upload_that_was_not_announced_gets_404(catalog: Catalog) -> None:
    through_the_api = catalog.put("app")

    for upload_id in (str(uuid.uuid4()), "42", through_the_api):
        answer = catalog.api.post(f"{ARTIFACTS}/directupload/{upload_id}/complete")
        assert answer.status_code == 404, answer.text
    assert catalog.api.get(f"{ARTIFACTS}/directupload/{uuid.uuid4()}").status_code == 404


def test_an_upload_may_be_announced_with_the_fields_of_a_form(catalog: Catalog, server: LocalServer) -> None:
    wanted = str(uuid.uuid4())
    about = {"artifact_id": wanted, "description": "announced", "size": str(len(GOOD))}
    answer = catalog.api.post(f"{ARTIFACTS}/directupload", json=about)
    assert answer.json()["id"] == wanted
    put(answer.json(), GOOD)
    complete(catalog, answer.json())
    server.drain()

    (shown,) = catalog.get(ARTIFACTS)
    assert (shown["id"], shown["description"]) == (wanted, "announced")
    refused: tuple[tuple[dict[str, Any], int], ...] = (
        (about, 409),
        ({"artifact_id": "42"}, 400),
        ({"size": "-1"}, 400),
        ({"size": str(limits.ARTIFACT_UPLOAD + 1)}, 413),
        ({"description": ["no text"]}, 400),
    )
    for announced, status in refused:
        assert catalog.api.post(f"{ARTIFACTS}/directupload", json=announced).status_code == status


def test_tenants_cannot_see_each_others_uploads(catalog: Catalog, sign_in: Any) -> None:
    other = tenantadm.create_tenant("Other")
    link = request(catalog)

    stranger = Catalog(sign_in(other), other.id)
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
def test_an_invalid_file_does_not_become_an_artifact(
    catalog: Catalog, server: LocalServer, data: bytes | None, reason: str
) -> None:
    link = request(catalog)
    if data is not None:
        put(link, data)
    assert complete(catalog, link).status_code == 202

    server.drain()

    assert catalog.get(ARTIFACTS) == []
    assert catalog.objects() == set()
    assert (upload_of(catalog, link).status, catalog.usage()) == ("failed", 0)
    answer = complete(catalog, link)
    assert answer.status_code == 409
    assert reason in answer.json()["error"]
    refused = result(catalog, link)
    assert (refused["status"], refused["refusal"]["status"]) == ("refused", 404 if data is None else 400)
    assert reason in refused["refusal"]["error"]
    # The link has not expired: what is written through it now is garbage.
    put(link, GOOD)
    tick(when_dead())
    assert catalog.objects() == set()
    assert catalog.rows() == []
    assert complete(catalog, link).status_code == 404


def test_a_name_that_is_taken_fails_the_upload(catalog: Catalog, server: LocalServer) -> None:
    kept = catalog.put("direct", payload=b"first")

    link = uploaded(catalog, server)

    assert [row["id"] for row in catalog.get(ARTIFACTS)] == [kept]
    assert upload_of(catalog, link).reason == "an artifact with the same name and depends already exists"
    assert len(catalog.objects()) == 1


def test_a_file_beyond_the_tenants_storage_limit_fails_the_upload(catalog: Catalog, server: LocalServer) -> None:
    tenantadm.set_limits(catalog.tenant, storage_limit=len(GOOD) - 1)

    link = uploaded(catalog, server)

    assert upload_of(catalog, link).reason == "Artifact file too large"
    assert (catalog.objects(), catalog.usage()) == (set(), 0)


def test_verifying_twice_creates_one_artifact(catalog: Catalog) -> None:
    link = request(catalog)
    put(link, GOOD)

    for _ in range(3):
        service.verify(catalog.tenant, link["id"], refusals.to_store)

    assert len(catalog.get(ARTIFACTS)) == 1
    assert catalog.usage() == len(GOOD)
    assert upload_of(catalog, link).status == "done"


@pytest.mark.parametrize("answered", [False, True])
def test_after_a_worker_crashed_anywhere_another_creates_the_artifact(catalog: Catalog, answered: bool) -> None:
    for number in range(1, 20):
        link = request(catalog)
        put(link, build_artifact(f"direct-{number}", ["pi"]))
        with power_cut(number, answered=answered) as cut, suppress(PowerCutError):
            service.verify(catalog.tenant, link["id"], refusals.to_store)
        service.verify(catalog.tenant, link["id"], refusals.to_store)

        assert len(catalog.get(ARTIFACTS)) == number
        assert catalog.usage() == sum(each["size"] for each in catalog.get(ARTIFACTS))
        assert upload_of(catalog, link).status == "done"
        if not cut.happened:
            return
    pytest.fail("it was never verified")


def test_links_serve_the_verified_version_whatever_is_written_later(catalog: Catalog, server: LocalServer) -> None:
    link = uploaded(catalog, server)
    evil = build_artifact("direct", ["pi"], b"evil")

    put(link, evil)
    bucket().put_object(Bucket=bucket_name(), Key=f"{catalog.tenant}/artifacts/{link['id']}", Body=b"more evil")

    (candidate,) = service.candidates(catalog.tenant, "direct")
    for uri in (
        service.device_link(catalog.tenant, candidate).uri,
        catalog.get(f"{ARTIFACTS}/{link['id']}/download")["uri"],
    ):
        assert httpx2.get(uri).content == GOOD
    # The bucket expires noncurrent versions: once the link has expired, the verified one is made current again.
    tick(when_dead())
    assert result(catalog, link) == {"status": "accepted"}, "also after its announcement was deleted"
    newest = bucket().get_object(Bucket=bucket_name(), Key=f"{catalog.tenant}/artifacts/{link['id']}")
    assert newest["Body"].read() == GOOD
    assert newest["VersionId"] == candidate.version
    assert catalog.rows() == ["ARTIFACT", "RELEASE"]


def test_an_upload_that_is_never_completed_expires(catalog: Catalog) -> None:
    link = request(catalog)
    put(link, GOOD)

    tick(when_dead() - timedelta(seconds=30))
    assert catalog.objects(), "not yet"
    tick(when_dead())

    assert catalog.objects() == set()
    assert catalog.rows() == []
    assert complete(catalog, link).status_code == 404


def test_a_completed_upload_does_not_expire_before_it_is_verified(catalog: Catalog, server: LocalServer) -> None:
    link = request(catalog)
    put(link, GOOD)
    assert complete(catalog, link).status_code == 202

    tick(when_dead())
    server.drain()

    assert catalog.names() == ["direct"]


def test_a_message_for_an_expired_upload_creates_nothing(catalog: Catalog, server: LocalServer) -> None:
    link = request(catalog)
    put(link, GOOD)
    assert complete(catalog, link).status_code == 202
    tick(timedelta(seconds=limits.UPLOAD_VERIFICATION + 1) + when_dead())

    server.drain()

    assert catalog.get(ARTIFACTS) == []
    assert (catalog.objects(), catalog.rows(), catalog.usage()) == (set(), [], 0)


def test_leftovers_of_a_crashed_upload_are_cleaned_up(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_tx: Transaction) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Transaction, "commit", crash)
    with pytest.raises(KeyboardInterrupt):
        service.upload(catalog.tenant, {}, [GOOD])
    monkeypatch.undo()
    assert (len(catalog.objects()), catalog.rows()) == (1, ["UPLOAD"])

    tick(timedelta(seconds=limits.UPLOAD_LIFE + 1))

    assert (catalog.objects(), catalog.rows(), catalog.usage()) == (set(), [], 0)
    catalog.put("direct")


def test_a_lost_answer_does_not_lose_the_artifact(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = Transaction.commit

    def lose_answer(tx: Transaction) -> None:
        commit(tx)
        raise Unavailable

    monkeypatch.setattr(Transaction, "commit", lose_answer)
    with pytest.raises(Unavailable):
        service.upload(catalog.tenant, {}, [GOOD])
    monkeypatch.undo()

    tick(timedelta(seconds=limits.UPLOAD_LIFE + 1))
    (shown,) = catalog.get(ARTIFACTS)
    assert httpx2.get(catalog.get(f"{ARTIFACTS}/{shown['id']}/download")["uri"]).content == GOOD
    assert len(catalog.objects()) == 1


def test_deleting_an_artifact_deletes_its_object(catalog: Catalog, server: LocalServer) -> None:
    through_the_api = catalog.put("app")
    link = uploaded(catalog, server)

    for artifact_id in (through_the_api, link["id"]):
        assert catalog.api.delete(f"{ARTIFACTS}/{artifact_id}").status_code == 204

    assert (catalog.objects(), catalog.usage()) == (set(), 0)
    assert catalog.rows() == ["UPLOAD"], "the link has not expired"
    put(link, GOOD)
    tick(when_dead())
    assert (catalog.objects(), catalog.rows()) == (set(), [])


def test_an_object_whose_deletion_crashed_is_deleted_later(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact_id = catalog.put("app")

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(s3, "delete", crash)
    with pytest.raises(KeyboardInterrupt):
        service.delete(catalog.tenant, artifact_id)
    monkeypatch.undo()
    assert (len(catalog.objects()), catalog.rows()) == (1, ["UPLOAD"])

    tick(timedelta(seconds=limits.UPLOAD_MARGIN + 1))

    assert (catalog.objects(), catalog.rows()) == (set(), [])


def test_a_run_of_the_schedule_reads_only_due_items(catalog: Catalog) -> None:
    tick(timedelta(days=400))
    for number in range(3):
        catalog.put(f"app-{number}")
        request(catalog)

    with probe.counted() as cost:
        tick()

    assert cost.calls == ["Query"] * 8
