"""Short calls to upload and read a tenant's artifacts."""

from __future__ import annotations

import hashlib
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import httpx2

from chalicelib import settings
from chalicelib.artifacts.tables import ArtifactsItem
from chalicelib.storage.keys import TenantId
from tests.simulator.artifacts import BLOCK, END, Draft, PayloadSpec, build_artifact, draft

V1 = "/api/management/v1/deployments"
V2 = "/api/management/v2/deployments"
ARTIFACTS = f"{V1}/artifacts"
RELEASES = f"{V2}/deployments/releases"


@dataclass
class Catalog:
    """The artifacts of one tenant. ``api`` is the client of an administrator."""

    api: httpx2.Client
    tenant: TenantId

    def send(self, data: bytes, **fields: str) -> httpx2.Response:
        """Upload a file through the API."""
        return self.api.post(ARTIFACTS, data=fields, files={"artifact": ("artifact.mender", data)})

    def put(self, name: str, device_types: tuple[str, ...] = ("pi",), *, description: str = "", **more: Any) -> str:
        """Upload a valid artifact; returns its id."""
        answer = self.send(build_artifact(name, device_types, **more), description=description)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Location"]).removeprefix(f"{ARTIFACTS}/")

    def get(self, path: str, **query: Any) -> Any:
        """The JSON that a path answers with status 200."""
        answer = self.api.get(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def names(self, path: str = f"{ARTIFACTS}/list", **query: Any) -> list[str]:
        """The names in a list, in its order."""
        return [row["name"] for row in self.get(path, **query)]

    def usage(self) -> int:
        """The number of bytes that count towards the storage limit."""
        return int(self.get(f"{V1}/limits/storage")["usage"])

    def objects(self) -> set[str]:
        """Keys of the tenant's objects."""
        return {entry["Key"] for entry in self._versions("Versions") if entry["IsLatest"]}

    def versions(self) -> int:
        """The number of versions of objects, including delete markers."""
        return len(self._versions("Versions"))

    def _versions(self, kind: str) -> list[dict[str, Any]]:
        found = bucket().list_object_versions(Bucket=bucket_name(), Prefix=f"{self.tenant}/")
        return list(found.get(kind, []))

    def rows(self) -> list[str]:
        """Kinds of the tenant's items in the table, except totals."""
        found = [item for item in ArtifactsItem.scan() if item.pk.startswith(f"T#{self.tenant}#")]
        return sorted(item.sk for item in found)

    def unfinished(self) -> int:
        """The number of multipart uploads that are neither completed nor aborted."""
        found = bucket().list_multipart_uploads(Bucket=bucket_name(), Prefix=f"{self.tenant}/")
        return len(found.get("Uploads", []))

    def is_empty(self) -> bool:
        """Whether nothing is stored, or ever was."""
        return (self.versions(), self.unfinished(), self.rows(), self.usage()) == (0, 0, [], 0)


@cache
def bucket() -> Any:
    """An S3 client with all permissions."""
    return boto3.session.Session().client("s3")


def bucket_name() -> str:
    """The name of the bucket."""
    return settings.current().bucket


def form(parts: list[tuple[str, bytes]], *, kind: str = "form-data", end: bool = True) -> tuple[bytes, dict[str, str]]:
    """A multipart body of these parts in order, and its header."""
    boundary = uuid.uuid4().hex
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name, content in parts
    )
    body += f"--{boundary}--\r\n".encode() if end else b""
    return body, {"Content-Type": f"multipart/{kind}; boundary={boundary}"}


def large_artifact(name: str, megabytes: int) -> Iterator[bytes]:
    """An artifact whose payload is generated while it is read, so it is never in memory as a whole."""
    megabyte = hashlib.sha256(name.encode()).digest() * 32768
    total = hashlib.sha256()
    for _ in range(megabytes):
        total.update(megabyte)
    size = megabytes * len(megabyte)
    parts: Draft = draft(name, ["pi"], [PayloadSpec(files={"big.bin": b""})], compression="none")
    parts.sums["data/0000/big.bin"] = total.hexdigest()
    *front, _ = parts.entries()
    yield b"".join(entry.packed() for entry in front)
    yield _header("data/0000.tar", BLOCK + size + len(END)) + _header("big.bin", size)
    for _ in range(megabytes):
        yield megabyte
    yield END + END


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)
