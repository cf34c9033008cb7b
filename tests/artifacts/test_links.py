"""Presigned links are identical to those of AWS's own client."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import botocore.config
import pytest
import time_machine

from chalicelib import settings, text
from chalicelib.aws import links, s3
from chalicelib.storage.keys import TenantId
from tests.artifacts.catalog import bucket_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.testing import LocalServer

TYPE = "application/vnd.mender-artifact"
NAMES = ["plain", "with space", "a+b&c=d", "größe", "a/b", "~.-_", "100%"]


@pytest.fixture
def frozen(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that stands still, and an endpoint that both sides sign for."""
    monkeypatch.setenv("LAMPLIGHTER_S3_PUBLIC_URL", server.engine.endpoint)
    settings.current.cache_clear()
    with time_machine.travel(datetime(2026, 2, 28, 23, 59, 58, tzinfo=UTC), tick=False):
        yield
    monkeypatch.undo()
    settings.current.cache_clear()


def theirs(operation: str, life: int, **parameters: str | int) -> str:
    config = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"})
    client = boto3.session.Session().client("s3", config=config)
    uri: str = client.generate_presigned_url(operation, {"Bucket": bucket_name(), **parameters}, ExpiresIn=life)
    return uri


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("name", NAMES)
def test_download_links_equal_those_of_boto3(name: str) -> None:
    key = s3.key(TenantId("tenant"), "artifacts", name)

    ours = links.download(key, "version-1", life=900, filename=f"{name}.mender", content_type=TYPE)

    disposition = text.attachment(f"{name}.mender")
    assert ours.uri == theirs(
        "get_object",
        900,
        Key=key,
        VersionId="version-1",
        ResponseContentDisposition=disposition,
        ResponseContentType=TYPE,
    )
    assert ours.expire == datetime(2026, 3, 1, 0, 14, 58, tzinfo=UTC)


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("name", NAMES)
def test_upload_links_equal_those_of_boto3(name: str) -> None:
    key = s3.key(TenantId("tenant"), "artifacts", name)

    assert links.upload(key, life=3600).uri == theirs("put_object", 3600, Key=key)
    part = links.part(key, "an upload+id", 17, size=5_242_880, life=3600)
    about: dict[str, str | int] = {"UploadId": "an upload+id", "PartNumber": 17, "ContentLength": 5_242_880}
    assert _sorted(part.uri) == _sorted(theirs("upload_part", 3600, Key=key, **about))


def _sorted(uri: str) -> list[str]:
    """The link with sorted parameters; the signature does not depend on their order."""
    path, _, query = uri.partition("?")
    return [path, *sorted(query.split("&"))]


@pytest.mark.usefixtures("frozen")
def test_objects_of_other_types_keep_their_content_type() -> None:
    key = s3.key(TenantId("tenant"), "recordings", "one")

    assert links.download(key, None, life=900).uri == theirs("get_object", 900, Key=key)
