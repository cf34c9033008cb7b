"""Uploads through the API: valid files become artifacts, and others leave nothing behind."""

from __future__ import annotations

import hashlib
import threading
import tracemalloc
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.artifacts import service
from chalicelib.errors import BadRequest
from chalicelib.tenantadm import service as tenantadm
from tests.artifacts.catalog import ARTIFACTS, Catalog, bucket, bucket_name, form, large_artifact
from tests.simulator.artifacts import PayloadSpec, build_artifact

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

MB = 1024 * 1024


def conflict_of(answer: httpx2.Response) -> object:
    assert answer.status_code == 409, answer.text
    body = answer.json()
    assert body["error"] == "an artifact with the same name and depends already exists"
    assert body["request_id"]
    return body["metadata"]["conflict"]


def test_an_artifact_is_shown_as_in_its_file(catalog: Catalog) -> None:
    data = build_artifact(
        "app-1.0",
        ["pi", "bbb"],
        {"app.bin": b"x" * 1000},
        provides={"rootfs-image.app.version": "1.0"},
        depends={"slot": "a", "region": ["eu", "us"]},
        clears=["rootfs-image.app.*"],
        metadata={"mode": 5},
        group="stable",
        signed=True,
        mtime=1_700_000_000,
    )

    answer = catalog.send(data, description="first")

    assert answer.status_code == 201
    assert answer.content == b""
    location = answer.headers["Location"]
    artifact_id = location.removeprefix(f"{ARTIFACTS}/")
    shown = catalog.get(location)
    modified = shown.pop("modified")
    assert modified.endswith("Z")
    assert shown == {
        "id": str(uuid.UUID(artifact_id)),
        "name": "app-1.0",
        "description": "first",
        "device_types_compatible": ["pi", "bbb"],
        "info": {"format": "mender", "version": 3},
        "signed": True,
        "updates": [
            {
                "type_info": {"type": "single-file"},
                "files": [
                    {
                        "name": "app.bin",
                        "checksum": hashlib.sha256(b"x" * 1000).hexdigest(),
                        "size": 1000,
                        "date": "2023-11-14T22:13:20Z",
                    }
                ],
                "metadata": {"mode": 5},
            }
        ],
        "artifact_provides": {
            "artifact_name": "app-1.0",
            "artifact_group": "stable",
            "rootfs-image.app.version": "1.0",
        },
        "artifact_depends": {"device_type": ["pi", "bbb"], "slot": "a", "region": ["eu", "us"]},
        "clears_artifact_provides": ["rootfs-image.app.*"],
        "size": len(data),
    }
    assert catalog.usage() == len(data)
    assert catalog.rows() == ["ARTIFACT", "RELEASE"], "the announcement was deleted"


def test_an_empty_payload_has_neither_type_nor_files(catalog: Catalog) -> None:
    artifact_id = catalog.put("empty", type=None, payload={})

    (update,) = catalog.get(f"{ARTIFACTS}/{artifact_id}")["updates"]
    assert update == {"type_info": {"type": None}, "files": None, "metadata": {}}


def test_small_and_large_uploads_use_one_object(catalog: Catalog) -> None:
    small = catalog.put("small")
    answer = catalog.api.post(ARTIFACTS, **large("large", 20))

    assert answer.status_code == 201, answer.text
    assert len(catalog.objects()) == 2
    assert catalog.objects() == {
        f"{catalog.tenant}/artifacts/{one}" for one in (small, answer.headers["Location"].rsplit("/", 1)[-1])
    }


def large(name: str, megabytes: int) -> dict[str, Any]:
    """The arguments of a request with a large upload."""
    head, headers = form([("description", b"big"), ("artifact", b"")])
    tail = head[head.rindex(b"\r\n--") :]

    def body() -> Iterator[bytes]:
        yield head[: -len(tail)]
        yield from large_artifact(name, megabytes)
        yield tail

    return {"content": body(), "headers": headers}


def test_uploading_50_mb_uses_bounded_memory(catalog: Catalog) -> None:
    catalog.api.post(ARTIFACTS, **large("warm", 1))
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    try:
        answer = catalog.api.post(ARTIFACTS, **large("big", 50), timeout=120)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status_code == 201, answer.text
    shown = catalog.get(answer.headers["Location"])
    assert shown["size"] > 50 * MB
    head = bucket().head_object(Bucket=bucket_name(), Key=f"{catalog.tenant}/artifacts/{shown['id']}")
    assert head["ContentLength"] == shown["size"]
    # Parts of 8 MiB are copied twice, and the client and the gateway have buffers too.
    assert peak - before < 45 * MB


GOOD = build_artifact("good", ["pi"], b"x" * 3000)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGED = build_artifact("damaged", ["pi"], b"y" * 20_000, compression="none")


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        pytest.param([("description", b"x")], "request does not contain the artifact file", id="no-file"),
        pytest.param([], "request does not contain the artifact file", id="nothing"),
        pytest.param([("artifact", b"")], "reading artifact error", id="empty-file"),
        pytest.param([("artifact", b"garbage" * 200)], "reading artifact error", id="garbage"),
        pytest.param([("artifact", GOOD[:-2000])], "reading artifact error", id="cut-short"),
        pytest.param(
            [("artifact", flipped(DAMAGED, DAMAGED.index(b"y" * 20_000) + 9))], "invalid checksum", id="flipped-bit"
        ),
        pytest.param(
            [("artifact", build_artifact("v1", ["pi"]).replace(b'"version":3', b'"version":1'))],
            "unsupported version",
            id="format-1",
        ),
        pytest.param([("size", b"many"), ("artifact", GOOD)], "size", id="size-no-number"),
        pytest.param([("size", b"-1"), ("artifact", GOOD)], "size", id="size-negative"),
        pytest.param([("size", b"1000"), ("artifact", GOOD)], "reading artifact error", id="size-too-small"),
        pytest.param([("size", b"99999"), ("artifact", GOOD)], "reading artifact error", id="size-too-large"),
        pytest.param([("description", b"x" * 4097), ("artifact", GOOD)], "description", id="long-description"),
        pytest.param([("description", b"\xff"), ("artifact", GOOD)], "description", id="no-utf-8"),
        pytest.param([("artifact_id", b"42"), ("artifact", GOOD)], "ID is not a valid UUID", id="id-no-uuid"),
        pytest.param(
            [("artifact", build_artifact("m", ["pi"], metadata={"k": str([uuid.uuid4() for _ in range(20_000)])}))],
            "",
            id="metadata-too-large",
        ),
    ],
)
def test_nothing_is_left_of_a_bad_upload(catalog: Catalog, parts: list[tuple[str, bytes]], text: str) -> None:
    body, headers = form(parts)

    answer = catalog.api.post(ARTIFACTS, content=body, headers=headers)

    assert answer.status_code == 400, answer.text
    assert text in answer.json()["error"]
    assert catalog.is_empty()


@pytest.mark.parametrize("header", [{}, {"Content-Type": "application/json"}, {"Content-Type": "multipart/form-data"}])
def test_a_body_that_is_not_a_form_is_refused(catalog: Catalog, header: dict[str, str]) -> None:
    assert catalog.api.post(ARTIFACTS, content=GOOD, headers=header).status_code == 400
    assert catalog.is_empty()


def test_a_form_that_ends_in_the_middle_of_the_file_is_refused(catalog: Catalog) -> None:
    body, headers = form([("artifact", GOOD)], end=False)

    answer = catalog.api.post(ARTIFACTS, content=body, headers=headers)

    assert answer.status_code == 400
    assert catalog.is_empty()


def test_a_file_that_is_too_large_gets_413_before_it_is_read(catalog: Catalog) -> None:
    body, headers = form([("size", str(11 * 1024**3).encode()), ("artifact", GOOD)])

    answer = catalog.api.post(ARTIFACTS, content=body, headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (413, "Artifact file too large")
    assert catalog.is_empty()


def test_an_interrupted_upload_leaves_nothing(catalog: Catalog) -> None:
    def body() -> Iterator[bytes]:
        chunks = large_artifact("aborted", 30)
        for _ in range(15):
            yield next(chunks)
        assert catalog.unfinished() == 1, "the upload has started"
        assert catalog.rows() == ["UPLOAD"], "and announced"
        raise BadRequest("the request body ended before the form was complete")

    with pytest.raises(BadRequest):
        service.upload(catalog.tenant, {}, body())

    assert catalog.is_empty()


def test_fields_may_be_in_any_case_and_order_and_unknown_ones_are_ignored(catalog: Catalog) -> None:
    artifact_id = str(uuid.uuid4())
    parts = [
        ("Description", b"caf\xc3\xa9"),
        ("color", b"\xff\x00"),
        ("SIZE", str(len(GOOD)).encode()),
        ("Artifact_ID", artifact_id.upper().encode()),
        ("ARTIFACT", GOOD + b"what size leaves out"),
        ("description", b"too late"),
    ]
    body, headers = form(parts, kind="mixed")

    answer = catalog.api.post(ARTIFACTS, content=body, headers=headers)

    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{ARTIFACTS}/{artifact_id}"
    shown = catalog.get(answer.headers["Location"])
    assert (shown["description"], shown["size"]) == ("café", len(GOOD))


def test_an_id_can_be_used_once(catalog: Catalog) -> None:
    artifact_id = str(uuid.uuid4())
    assert catalog.send(GOOD, artifact_id=artifact_id).status_code == 201

    again = catalog.send(build_artifact("other", ["pi"]), artifact_id=artifact_id)

    assert again.status_code == 409
    assert catalog.names() == ["good"]
    link = catalog.get(f"{ARTIFACTS}/{artifact_id}/download")["uri"]
    assert catalog.api.get(link, headers={"Authorization": ""}).content == GOOD
    assert catalog.versions() == 1
    assert catalog.api.delete(f"{ARTIFACTS}/{artifact_id}").status_code == 204
    assert catalog.send(GOOD, artifact_id=artifact_id).status_code == 201, "after deletion the id is free"


def test_the_same_name_needs_other_dependencies(catalog: Catalog) -> None:
    catalog.put("app", ("pi", "bbb"), depends={"slot": ["a", "b"]})

    def send(types: tuple[str, ...], **depends: object) -> httpx2.Response:
        return catalog.send(build_artifact("app", types, depends=depends))  # type: ignore[arg-type]  # a table of cases

    assert conflict_of(send(("bbb",), slot="b")) == {"artifact_name": "app", "device_type": "bbb", "slot": "b"}
    assert send(("x86",), slot="b").status_code == 201
    assert send(("bbb",), slot="c").status_code == 201
    assert send(("bbb",)).status_code == 201
    assert send(("bbb",), slot="b", region="eu").status_code == 201
    assert conflict_of(send(("arm", "bbb"))) == {"artifact_name": "app", "device_type": "bbb"}
    assert len(catalog.objects()) == 5
    assert catalog.usage() == sum(row["size"] for row in catalog.get(ARTIFACTS))


def test_exactly_one_of_identical_concurrent_uploads_succeeds(catalog: Catalog) -> None:
    data = build_artifact("race", ["pi"])
    barrier = threading.Barrier(8)
    answers: list[int] = []

    def race() -> None:
        barrier.wait()
        answers.append(catalog.send(data).status_code)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201] + [409] * 7
    assert len(catalog.get(ARTIFACTS)) == 1
    assert len(catalog.objects()) == 1
    assert catalog.usage() == len(data)
    assert catalog.rows() == ["ARTIFACT", "RELEASE"]


def test_concurrent_uploads_of_one_name_for_different_devices_all_succeed(catalog: Catalog) -> None:
    barrier = threading.Barrier(6)
    answers: list[int] = []

    def race(device_type: str) -> None:
        data = build_artifact("race", [device_type])
        barrier.wait()
        answers.append(catalog.send(data).status_code)

    threads = [threading.Thread(target=race, args=(f"type-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [201] * 6
    (release,) = catalog.get("/api/management/v2/deployments/deployments/releases")
    assert release["artifacts_count"] == 6


def test_uploads_beyond_the_storage_limit_are_refused(catalog: Catalog, tenant: Tenant) -> None:
    one = build_artifact("one", ["pi"], b"1" * 100)
    tenantadm.set_limits(tenant.id, storage_limit=len(one) + 100)
    catalog.put("one", payload=b"1" * 100)

    over = catalog.send(build_artifact("two", ["pi"], b"2" * 100))

    assert (over.status_code, over.json()["error"]) == (413, "Artifact file too large")
    assert catalog.get("/api/management/v1/deployments/limits/storage") == {"limit": len(one) + 100, "usage": len(one)}
    assert len(catalog.objects()) == 1
    assert catalog.api.delete(f"{ARTIFACTS}/{catalog.get(ARTIFACTS)[0]['id']}").status_code == 204
    assert catalog.usage() == 0
    catalog.put("two", payload=b"2" * 100)


def test_the_storage_limit_holds_for_concurrent_uploads(catalog: Catalog, tenant: Tenant) -> None:
    size = len(build_artifact("race-0", ["pi"]))
    tenantadm.set_limits(tenant.id, storage_limit=2 * size)
    barrier = threading.Barrier(6)
    answers: list[int] = []

    def race(number: int) -> None:
        barrier.wait()
        answers.append(catalog.send(build_artifact(f"race-{number}", ["pi"])).status_code)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [201, 201, 413, 413, 413, 413]
    assert catalog.usage() == 2 * size
    assert len(catalog.objects()) == 2


def test_provides_and_depends_of_payloads_are_added_to_those_of_the_artifact(catalog: Catalog) -> None:
    artifact_id = catalog.put(
        "multi",
        provides={"a": "1"},
        more=[PayloadSpec("script", {"run.sh": b"#!/bin/sh\n"}, {"b": "2"}, {"c": ["3", "4"]})],
    )

    shown = catalog.get(f"{ARTIFACTS}/{artifact_id}")
    assert shown["artifact_provides"] == {"artifact_name": "multi", "a": "1", "b": "2"}
    assert shown["artifact_depends"] == {"device_type": ["pi"], "c": ["3", "4"]}
    assert [update["type_info"]["type"] for update in shown["updates"]] == ["single-file", "script"]


def test_tenants_cannot_see_each_others_artifacts(catalog: Catalog, sign_in: SignIn) -> None:
    other = tenantadm.create_tenant("Other")
    elsewhere = Catalog(sign_in(other), other.id)
    artifact_id = catalog.put("secret")

    assert elsewhere.get(ARTIFACTS) == []
    for method, path in [
        ("GET", f"{ARTIFACTS}/{artifact_id}"),
        ("DELETE", f"{ARTIFACTS}/{artifact_id}"),
        ("GET", f"{ARTIFACTS}/{artifact_id}/download"),
        ("GET", "/api/management/v2/deployments/deployments/releases/secret"),
    ]:
        assert elsewhere.api.request(method, path).status_code == 404
    assert elsewhere.api.put(f"{ARTIFACTS}/{artifact_id}", json={"description": "x"}).status_code == 404
    assert elsewhere.send(build_artifact("secret", ["pi"])).status_code == 201
    assert elsewhere.send(build_artifact("mine", ["pi"]), artifact_id=artifact_id).status_code == 201
    assert catalog.get(f"{ARTIFACTS}/{artifact_id}")["name"] == "secret"
