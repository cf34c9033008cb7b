"""Links expire no later than the credentials that sign them, and have the host of the settings."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec.structs import replace

from chalicelib import cache, clock, settings
from chalicelib.aws import client, links
from chalicelib.aws.links import Link
from tests.deployments.world import World, serves
from tests.support.time import Clock

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

HOUR, DAY = 3600, 86_400
Set = Callable[..., None]


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still."""
    return Clock(monkeypatch)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Change settings."""

    def change(**fields: Any) -> None:
        new = replace(settings.current(), **fields)
        monkeypatch.setattr(settings, "current", lambda: new)

    return change


def sign_with(monkeypatch: pytest.MonkeyPatch, credentials: Credentials) -> None:
    monkeypatch.setattr(client, "credentials", lambda: credentials)


def lifetime(link: Link) -> float:
    return (link.expire - clock.now()).total_seconds()


@pytest.mark.usefixtures("moment")
def test_keys_of_an_iam_user_do_not_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_with(monkeypatch, Credentials("key", "secret"))

    assert lifetime(links.download("t/artifacts/a", "1", life=DAY)) == DAY


@pytest.mark.usefixtures("moment")
def test_a_link_of_a_session_of_unknown_length_lasts_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Lambda: the link is signed for a day, and works as long as the session."""
    sign_with(monkeypatch, Credentials("key", "secret", "token"))
    link = links.download("t/artifacts/a", "1", life=DAY)

    assert lifetime(link) == links.UNKNOWN_SESSION == HOUR
    assert parse_qs(urlsplit(link.uri).query)["X-Amz-Expires"] == [str(DAY)]
    assert lifetime(links.upload("t/artifacts/a", life=900)) == 900


@pytest.mark.parametrize(("left", "promised"), [(HOUR, HOUR), (2 * DAY, DAY)])
def test_a_link_expires_with_the_session(
    left: int, promised: int, moment: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = moment.time + timedelta(seconds=left)
    session = RefreshableCredentials("key", "secret", "token", end, dict, "test", time_fetcher=lambda: moment.time)
    sign_with(monkeypatch, session)

    assert lifetime(links.download("t/artifacts/a", "1", life=DAY)) == promised
    assert lifetime(links.upload("t/artifacts/a", life=DAY)) == promised


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("path", "https://s3.eu-west-1.amazonaws.com/some-bucket/"),
        ("virtual", "https://some-bucket.s3.eu-west-1.amazonaws.com/"),
        ("dualstack", "https://some-bucket.s3.dualstack.eu-west-1.amazonaws.com/"),
        ("accelerate", "https://some-bucket.s3-accelerate.amazonaws.com/"),
        ("accelerate-dualstack", "https://some-bucket.s3-accelerate.dualstack.amazonaws.com/"),
    ],
)
def test_links_have_the_configured_host(form: str, base: str, known: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    known(bucket="some-bucket", s3_links=form)
    aws = replace(settings.aws(), endpoint_url=None, region="eu-west-1")
    monkeypatch.setattr(settings, "aws", lambda: aws)
    sign_with(monkeypatch, Credentials("key", "secret"))

    for link in (links.download("t/artifacts/a", "1", life=HOUR), links.upload("t/artifacts/a", life=HOUR)):
        assert link.uri.startswith(f"{base}t/artifacts/a?")


def test_an_unknown_style_is_refused_and_the_valid_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMPLIGHTER_S3_LINKS", "elsewhere")
    settings.current.cache_clear()
    try:
        with pytest.raises(ValueError, match="must be one of " + ", ".join(links.ADDRESSES)):
            settings.current()
    finally:
        monkeypatch.undo()
        settings.current.cache_clear()


@pytest.fixture
def cloudfront(server: LocalServer, known: Set) -> Iterator[str]:
    """A server whose downloads go through CloudFront; returns the public key for CloudFront."""
    known(downloads_url="https://d111.cloudfront.net", downloads_key_id="K2EXAMPLE")
    yield links.make_download_key()
    cache.forget_all()


def test_a_link_through_cloudfront_is_signed_by_the_stages_key(cloudfront: str, moment: Clock) -> None:
    link = links.download("t/artifacts/ä b", "v+1", life=DAY, content_type="a/b", cached=True)
    resource, _, signed = link.uri.partition("&Expires=")
    query = parse_qs(f"Expires={signed}")
    end = int(query["Expires"][0])
    policy = {"Statement": [{"Resource": resource, "Condition": {"DateLessThan": {"AWS:EpochTime": end}}}]}
    signature = query["Signature"][0].translate(str.maketrans("-_~", "+=/"))

    assert resource == "https://d111.cloudfront.net/t/artifacts/%C3%A4%20b?versionId=v%2B1&response-content-type=a%2Fb"
    assert query["Key-Pair-Id"] == ["K2EXAMPLE"]
    assert link.expire == moment.time + timedelta(days=1) == datetime.fromtimestamp(end, UTC)
    key: Any = load_pem_public_key(cloudfront.encode())
    text = json.dumps(policy, separators=(",", ":")).encode()
    key.verify(base64.b64decode(signature), text, PKCS1v15(), SHA1())  # noqa: S303  # required by CloudFront


@pytest.mark.usefixtures("cloudfront")
def test_rarely_downloaded_objects_are_served_by_the_bucket() -> None:
    assert "X-Amz-Signature" in links.download("t/recordings/a", None, life=HOUR).uri
    assert "X-Amz-Signature" in links.upload("t/artifacts/a", life=HOUR).uri


@pytest.mark.usefixtures("cloudfront")
def test_devices_get_updates_through_cloudfront(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> None:
    world = World(api, http, tenant.tenant_token)
    device = world.device()
    world.upload("v1")
    deployment = world.deploy("v1")
    uri = serves(device.poll(), deployment)["source"]["uri"]

    assert uri.startswith(f"https://d111.cloudfront.net/{tenant.id}/artifacts/")
    assert "versionId=" in uri
    assert "Key-Pair-Id=K2EXAMPLE" in uri
