"""Direct uploads in parts: paused, resumed, cancelled, and assembled by the worker."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib import clock, limits
from chalicelib.artifacts import service
from chalicelib.aws import s3
from chalicelib.http import refusals
from chalicelib.tenantadm import service as tenantadm
from infra.local.provision import STORAGE
from infra.local.template import Template
from tests.artifacts.catalog import ARTIFACTS, Catalog, bucket, bucket_name, large_artifact
from tests.simulator.artifacts import build_artifact
from tests.support import probe
from tests.support.crashes import PowerCutError, power_cut

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

DIRECT = f"{ARTIFACTS}/directupload"
PART = limits.UPLOAD_PART_MIN
SMALL = build_artifact("parted", ["pi"], b"p" * 5000)


def announce(catalog: Catalog, size: int, **more: Any) -> dict[str, Any]:
    answer = catalog.api.post(DIRECT, json={"size": size, "part_size": PART, **more})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def parts(catalog: Catalog, upload_id: str, **query: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = catalog.get(f"{DIRECT}/{upload_id}/parts", **query)["parts"]
    return listed


def put(part: dict[str, Any], data: bytes) -> int:
    """Write one part of the file; returns the bucket's status."""
    start = (part["number"] - 1) * PART
    return httpx2.put(part["uri"], content=data[start : start + part["size"]]).status_code


def complete(catalog: Catalog, upload_id: str) -> httpx2.Response:
    return catalog.api.post(f"{DIRECT}/{upload_id}/complete")


def all_parts_sent(catalog: Catalog, data: bytes = SMALL) -> str:
    """An upload whose parts have all been sent; returns its id."""
    upload_id = str(announce(catalog, len(data))["id"])
    assert {put(part, data) for part in parts(catalog, upload_id)} == {200}
    return upload_id


def tick(after: timedelta = timedelta()) -> None:
    service.tick(clock.now() + after)


def test_an_interrupted_upload_is_resumed_and_becomes_an_artifact(catalog: Catalog, server: LocalServer) -> None:
    data = b"".join(large_artifact("resumed", 11))
    made = announce(catalog, len(data), description="in parts")
    assert {name: made[name] for name in ("size", "part_size", "count")} == {
        "size": len(data),
        "part_size": PART,
        "count": 3,
    }
    first, second, third = parts(catalog, made["id"])
    assert [part["size"] for part in (first, second, third)] == [PART, PART, len(data) - 2 * PART]
    assert put(second, data) == 200
    assert httpx2.put(first["uri"], content=b"too short").status_code == 403, "the length is signed"
    assert complete(catalog, made["id"]).json()["error"].startswith("2 of 3 parts are missing: 1, 3.")

    # Another client asks later which parts exist.
    now = catalog.get(f"{DIRECT}/{made['id']}/parts")
    assert {name: now[name] for name in made} == made
    assert [part["stored"] for part in now["parts"]] == [False, True, False]
    assert sorted(now["parts"][1]) == ["number", "size", "stored"], "no link for a part that exists"
    page = catalog.api.get(f"{DIRECT}/{made['id']}/parts", params={"per_page": 1, "page": 2})
    assert ([part["number"] for part in page.json()["parts"]], page.headers["X-Total-Count"]) == ([2], "3")
    assert parts(catalog, made["id"], page=4, per_page=1) == []
    assert {put(part, data) for part in now["parts"] if not part["stored"]} == {200}
    assert complete(catalog, made["id"]).status_code == 202
    assert catalog.api.get(f"{DIRECT}/{made['id']}/parts").status_code == 409
    server.drain()

    (shown,) = catalog.get(ARTIFACTS)
    assert (shown["id"], shown["size"], shown["description"]) == (made["id"], len(data), "in parts")
    assert httpx2.get(catalog.get(f"{ARTIFACTS}/{made['id']}/download")["uri"]).content == data
    assert (catalog.unfinished(), catalog.usage()) == (0, len(data))
    assert catalog.get(f"{DIRECT}/{made['id']}")["status"] == "accepted"
    assert complete(catalog, made["id"]).status_code == 202, "repeating it is fine"
    assert put(first, data) == 404, "nothing can be written anymore"
    tick(timedelta(seconds=limits.UPLOAD_MARGIN + 1))
    assert catalog.rows() == ["ARTIFACT", "RELEASE"]


def test_tenants_cannot_see_each_others_parts(catalog: Catalog, sign_in: Any) -> None:
    other = tenantadm.create_tenant("Other")
    stranger = Catalog(sign_in(other), other.id)
    upload_id = all_parts_sent(catalog)

    for method, path in (("GET", ""), ("GET", "/parts"), ("POST", "/complete"), ("DELETE", "")):
        answer = stranger.api.request(method, f"{DIRECT}/{upload_id}{path}")
        assert answer.status_code == 404, (method, path, answer.text)
    assert [part["stored"] for part in parts(catalog, upload_id)] == [True]


def test_an_upload_without_parts_lists_none(catalog: Catalog) -> None:
    by_link = catalog.api.post(DIRECT).json()["id"]
    through_the_api = catalog.put("app")

    for upload_id in (by_link, through_the_api, str(uuid.uuid4()), "42"):
        assert catalog.api.get(f"{DIRECT}/{upload_id}/parts").status_code == 404
    assert catalog.api.delete(f"{DIRECT}/{through_the_api}").status_code == 404


def test_a_file_size_that_cannot_be_divided_is_refused_before_it_is_sent(catalog: Catalog) -> None:
    kept = catalog.put("app")
    refused: tuple[tuple[dict[str, Any], int], ...] = (
        ({"part_size": PART}, 400),
        ({"size": 0, "part_size": PART}, 400),
        ({"size": -1, "part_size": PART}, 400),
        ({"size": 10**30, "part_size": PART}, 400),
        ({"size": PART, "part_size": PART - 1}, 400),
        ({"size": PART, "part_size": -PART}, 400),
        ({"size": PART, "part_size": limits.UPLOAD_LINK + 1}, 400),
        ({"size": PART, "part_size": 10**30}, 400),
        ({"size": PART, "part_size": str(PART)}, 400),
        ({"size": PART, "part_size": 1.5 * PART}, 400),
        ({"size": limits.ARTIFACT_UPLOAD + 1, "part_size": PART}, 413),
        ({"size": PART, "part_size": PART, "artifact_id": kept}, 409),
    )
    for announced, status in refused:
        answer = catalog.api.post(DIRECT, json=announced)
        assert answer.status_code == status, (announced, answer.text)
    tenantadm.set_limits(catalog.tenant, storage_limit=catalog.usage() + PART)
    for announced in ({"size": PART + 1, "part_size": PART}, {"size": str(PART + 1)}):
        assert catalog.api.post(DIRECT, json=announced).status_code == 413, "it exceeds the storage limit"
    announce(catalog, PART)
    assert catalog.unfinished() == 1


def test_the_id_of_an_upload_cannot_be_used_for_another(catalog: Catalog) -> None:
    wanted = str(uuid.uuid4())
    announce(catalog, PART, artifact_id=wanted)

    answer = catalog.api.post(DIRECT, json={"size": PART, "part_size": PART, "artifact_id": wanted})

    assert (answer.status_code, catalog.unfinished()) == (409, 1)


def test_a_cancelled_upload_leaves_nothing(catalog: Catalog, server: LocalServer) -> None:
    stopped = all_parts_sent(catalog)
    by_link = catalog.api.post(DIRECT).json()
    httpx2.put(by_link["uri"], content=SMALL)

    for upload_id in (stopped, by_link["id"], stopped):
        assert catalog.api.delete(f"{DIRECT}/{upload_id}").status_code == 204

    assert (catalog.unfinished(), catalog.objects()) == (0, set())
    assert catalog.get(f"{DIRECT}/{stopped}")["refusal"] == {"status": 409, "error": "it was stopped"}
    assert complete(catalog, stopped).status_code == 409
    assert catalog.api.get(f"{DIRECT}/{stopped}/parts").status_code == 409
    tick(timedelta(seconds=limits.UPLOAD_MARGIN + 1))
    assert catalog.rows() == ["UPLOAD"], "the link of the single upload has not expired"
    accepted = all_parts_sent(catalog)
    assert complete(catalog, accepted).status_code == 202
    server.drain()
    assert catalog.api.delete(f"{DIRECT}/{accepted}").status_code == 409
    assert len(catalog.get(ARTIFACTS)) == 1


def test_an_incomplete_upload_is_cancelled_after_a_week(catalog: Catalog) -> None:
    all_parts_sent(catalog)

    tick(timedelta(seconds=limits.UPLOAD_PARTS_LIFE))
    assert catalog.unfinished() == 1, "not yet"
    tick(timedelta(seconds=limits.UPLOAD_PARTS_LIFE + limits.UPLOAD_MARGIN + 1))

    assert catalog.is_empty()


def test_the_buckets_lifecycle_rule_does_not_end_uploads_early() -> None:
    template = Template(STORAGE, {"Stage": "stage"}, "us-east-1")
    [(_, about)] = template.resources("AWS::S3::Bucket")
    [days] = [
        rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        for rule in about["LifecycleConfiguration"]["Rules"]
        if "AbortIncompleteMultipartUpload" in rule
    ]
    assert days * 86_400 >= limits.UPLOAD_PARTS_LIFE + limits.UPLOAD_VERIFICATION


def test_an_invalid_file_is_refused_and_deleted(catalog: Catalog, server: LocalServer) -> None:
    upload_id = all_parts_sent(catalog, b"garbage" * 1000)
    assert complete(catalog, upload_id).status_code == 202

    server.drain()

    refused = catalog.get(f"{DIRECT}/{upload_id}")
    assert (refused["status"], refused["refusal"]["status"]) == ("refused", 400)
    assert (catalog.objects(), catalog.unfinished(), catalog.usage()) == (set(), 0, 0)


def test_an_upload_whose_parts_were_deleted_fails(catalog: Catalog, server: LocalServer) -> None:
    """Parts are deleted by the bucket's lifecycle rule or by hand."""
    pending, verifying = all_parts_sent(catalog), all_parts_sent(catalog)
    assert complete(catalog, verifying).status_code == 202
    for each in bucket().list_multipart_uploads(Bucket=bucket_name(), Prefix=f"{catalog.tenant}/")["Uploads"]:
        bucket().abort_multipart_upload(Bucket=bucket_name(), Key=each["Key"], UploadId=each["UploadId"])

    assert complete(catalog, pending).status_code == 404
    assert catalog.api.get(f"{DIRECT}/{pending}/parts").status_code == 404
    server.drain()
    assert catalog.get(f"{DIRECT}/{verifying}")["refusal"] == {"status": 404, "error": "there is no object"}


@pytest.mark.parametrize("answered", [False, True])
def test_after_a_worker_crashed_anywhere_another_creates_the_artifact(catalog: Catalog, answered: bool) -> None:
    for number in range(1, 20):
        upload_id = all_parts_sent(catalog, build_artifact(f"parted-{number}", ["pi"]))
        with power_cut(number, answered=answered) as cut, suppress(PowerCutError):
            service.verify(catalog.tenant, upload_id, refusals.to_store)
        service.verify(catalog.tenant, upload_id, refusals.to_store)

        assert catalog.get(f"{DIRECT}/{upload_id}")["status"] == "accepted"
        assert len(catalog.get(ARTIFACTS)) == number
        if not cut.happened:
            return
    pytest.fail("it was never verified")


@pytest.mark.usefixtures("warm")
def test_a_page_of_parts_costs_one_read(catalog: Catalog) -> None:
    upload_id = announce(catalog, 100 * PART)["id"]
    parts(catalog, upload_id)

    with probe.counted() as cost:
        assert len(parts(catalog, upload_id, per_page=100)) == 100

    assert (cost.round_trips - 1, cost.write_units) == (1, 0), "besides the check of the session"


def test_parts_are_counted_beyond_one_page_of_the_buckets_list(
    catalog: Catalog, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"".join(large_artifact("pages", 11))
    listed = s3.parts
    monkeypatch.setattr(s3, "parts", lambda *place, **bounds: listed(*place, **({"most": 1} | bounds)))

    assert complete(catalog, all_parts_sent(catalog, data)).status_code == 202
    server.drain()

    assert catalog.names() == ["pages"]
