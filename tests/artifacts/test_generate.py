"""``POST artifacts/generate``: makes an artifact for the update module ``single-file`` from a file."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib import limits
from chalicelib.tenantadm import service
from tests.artifacts.catalog import ARTIFACTS, V1, Catalog

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

ARGS = {"filename": "motd", "dest_dir": "/etc"}
FORM = {"name": "motd-1", "description": "Greetings", "device_types_compatible": "pi,bone", "type": "single_file"}


def generate(catalog: Catalog, data: bytes = b"hello\n", *, args: Any = ARGS, **fields: str) -> httpx2.Response:
    form = FORM | {"args": args if isinstance(args, str) else json.dumps(args)} | fields
    return catalog.api.post(f"{ARTIFACTS}/generate", data=form, files={"file": ("motd", data)})


def made(catalog: Catalog, answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    place = answer.headers["Location"]
    assert place.startswith("/api/management/v1/deployments/artifacts/generate/")
    found: dict[str, Any] = catalog.get(f"{ARTIFACTS}/{place.rsplit('/', 1)[-1]}")
    return found


def file_of(catalog: Catalog, artifact: dict[str, Any]) -> bytes:
    return httpx2.get(catalog.get(f"{ARTIFACTS}/{artifact['id']}/download")["uri"]).content


def payload(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as whole:
        inner = whole.extractfile("data/0000.tar")
        assert inner is not None
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as files:
            found = {}
            for member in files.getmembers():
                content = files.extractfile(member)
                assert content is not None
                found[member.name] = content.read()
            return found


def test_a_file_becomes_an_artifact(catalog: Catalog):
    artifact = made(catalog, generate(catalog))

    assert (artifact["name"], artifact["description"]) == ("motd-1", "Greetings")
    assert artifact["device_types_compatible"] == ["pi", "bone"]
    assert artifact["info"] == {"format": "mender", "version": 3}
    assert artifact["updates"][0]["type_info"]["type"] == "single-file"
    assert artifact["artifact_provides"] == {
        "artifact_name": "motd-1",
        "rootfs-image.single-file.version": "motd-1",
    }
    assert artifact["clears_artifact_provides"] == ["rootfs-image.single-file.*"]
    assert payload(file_of(catalog, artifact)) == {
        "dest_dir": b"/etc\n",
        "filename": b"motd\n",
        "permissions": b"644\n",
        "motd": b"hello\n",
    }


def test_the_artifact_provides_its_software_version(catalog: Catalog):
    args = ARGS | {"software_filesystem": "data", "software_name": "greeting", "software_version": "7"}

    artifact = made(catalog, generate(catalog, args=args))

    assert artifact["artifact_provides"]["data.greeting.version"] == "7"
    assert artifact["clears_artifact_provides"] == ["data.greeting.*"]


def test_a_file_larger_than_the_memory_buffer(catalog: Catalog):
    data = bytes(range(256)) * (5 * 4096)

    assert payload(file_of(catalog, made(catalog, generate(catalog, data))))["motd"] == data


def test_mender_artifact_reads_it(catalog: Catalog, tmp_path: Path):
    program = shutil.which("mender-artifact")
    if program is None:
        pytest.skip("mender-artifact is not installed")
    path = tmp_path / "made.mender"
    path.write_bytes(file_of(catalog, made(catalog, generate(catalog))))

    subprocess.run([program, "validate", path], check=True)


def test_the_same_artifact_twice_is_refused(catalog: Catalog):
    made(catalog, generate(catalog))

    answer = generate(catalog, b"another")

    assert answer.status_code == 422
    assert answer.json()["error"] == "Artifact not unique"
    made(catalog, generate(catalog, device_types_compatible="other"))
    assert len(catalog.objects()) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"device_types_compatible": " , "},
        pytest.param({"device_types_compatible": "a," * 1001}, id="s5-device-types"),
        {"type": "rootfs"},
        {"description": "x" * 4097},
        {"args": "[]"},
        {"args": "{"},
        {"args": {"filename": "motd"}},
        {"args": ARGS | {"filename": ""}},
        {"args": ARGS | {"filename": "../motd"}},
        {"args": ARGS | {"filename": "permissions"}},
        {"args": ARGS | {"filename": "a\nb"}},
        {"args": ARGS | {"filename": "é"}},
        {"args": ARGS | {"filename": ".."}},
        pytest.param({"device_types_compatible": "x" * (limits.ARTIFACT_NAME + 1)}, id="b9-device-type"),
        {"args": ARGS | {"dest_dir": "etc"}},
        {"args": ARGS | {"dest_dir": "/etc\n/other"}},
    ],
)
def test_invalid_fields_are_refused(catalog: Catalog, fields: dict[str, Any]):
    assert generate(catalog, **fields).status_code == 400
    assert catalog.objects() == set()


@pytest.mark.parametrize("name", ["a b.txt", "a~", "a+b", "(1)", "motd\u0000"])
def test_an_invalid_file_name_is_refused_with_the_reason(catalog: Catalog, name: str):
    answer = generate(catalog, args=ARGS | {"filename": name})
    assert answer.status_code == 400
    assert answer.json()["error"] == "args: filename may only have letters, digits, '_', '-', '.' and ','"
    assert catalog.objects() == set()


def test_the_name_of_the_uploaded_file_is_ignored(catalog: Catalog):
    data = file_of(catalog, made(catalog, generate(catalog)))
    assert catalog.api.delete(f"{ARTIFACTS}/{catalog.get(ARTIFACTS)[0]['id']}").status_code == 204
    for name in (b"firmw\xe4re.mender", "größe".encode(), b"\xff\xfe", b"a\tb", b"x" * 2000):
        head = b'--b\r\nContent-Disposition: form-data; name="artifact"; filename="' + name + b'"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = catalog.api.post(ARTIFACTS, content=head + data + b"\r\n--b--\r\n", headers=headers)
        assert answer.status_code == 201, answer.text
        assert catalog.api.delete(f"{ARTIFACTS}/{answer.headers['Location'].rsplit('/', 1)[-1]}").status_code == 204


def test_a_request_without_a_file_is_refused(catalog: Catalog):
    answer = catalog.api.post(f"{ARTIFACTS}/generate", data=FORM, files={"other": ("x", b"y")})

    assert answer.status_code == 400


def test_a_generated_artifact_counts_towards_the_limits(catalog: Catalog, tenant: Tenant):
    artifact = made(catalog, generate(catalog))
    [entry] = catalog.get("/api/management/v1/auditlogs/logs", object_id=artifact["id"])
    assert entry["action"] == "upload"

    service.set_limits(tenant.id, storage_limit=artifact["size"] + 10)
    assert generate(catalog, name="motd-2").status_code == 413
    assert catalog.get(f"{V1}/limits/storage")["usage"] == artifact["size"]


def test_the_artifact_is_invisible_to_other_tenants(catalog: Catalog, sign_in: SignIn):
    artifact = made(catalog, generate(catalog))

    other = sign_in(service.create_tenant("Other"))
    assert other.get(f"{ARTIFACTS}/{artifact['id']}").status_code == 404


@pytest.mark.parametrize("args", [None, "", " ", "{}", "{ }"])
def test_args_are_optional(catalog: Catalog, args: str | None):
    form = FORM if args is None else FORM | {"args": args}
    answer = catalog.api.post(f"{ARTIFACTS}/generate", data=form, files={"file": ("a name", b"hello")})

    files = payload(file_of(catalog, made(catalog, answer)))
    assert files == {"dest_dir": b"/\n", "filename": b"file\n", "permissions": b"644\n", "file": b"hello"}
