"""Presigned links to objects of the bucket. A link permits one operation on one object until it expires.

They are signed with the role's credentials (Signature Version 4), or, for downloads through CloudFront, with a key of
the stage. A link names the object's version, so exactly the verified bytes are served.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from chalicelib import clock, settings, text
from chalicelib.aws import client, s3
from chalicelib.aws.parameters import Parameter

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

UNKNOWN_SESSION: Final = 3600
"""The promised life of a link in seconds, if it is not known when the credentials end.

That is so on Lambda, where the session may have been used for hours before the link is made. The link works until the
session ends.
"""

ADDRESSES: Final = {
    "path": "s3.{region}.{domain}/{bucket}",
    "virtual": "{bucket}.s3.{region}.{domain}",
    "dualstack": "{bucket}.s3.dualstack.{region}.{domain}",
    "accelerate": "{bucket}.s3-accelerate.{domain}",
    "accelerate-dualstack": "{bucket}.s3-accelerate.dualstack.{domain}",
}
"""The values of ``settings.s3_links``. https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html"""


class Link(msgspec.Struct, frozen=True):
    """A signed link, which works at least until ``expire``."""

    uri: str
    expire: datetime


def download(
    object_key: str,
    version: str | None,
    *,
    life: int,
    filename: str = "",
    content_type: str = "",
    cached: bool = False,
) -> Link:
    """A link that reads one version of an object for ``life`` seconds, or until the signing credentials end.

    The answer has the given file name and type; without a type, that of the object. ``cached``: use CloudFront, if
    there is one (``settings.downloads_url``), because many clients will download the object.

    Raises:
        Unavailable: downloads go through CloudFront, and the server has no key for them (``manage download-key``).
    """
    query = {"versionId": version} if version else {}
    if filename:
        query["response-content-disposition"] = text.attachment(filename)
    if content_type:
        query["response-content-type"] = content_type
    if cached and settings.current().downloads_url:
        return _by_cloudfront(object_key, query, life)
    return _presigned("GET", object_key, query, life)


def upload(object_key: str, *, life: int) -> Link:
    """A link that writes an object for ``life`` seconds, or until the role's session ends."""
    return _presigned("PUT", object_key, {}, life)


def part(object_key: str, upload_id: str, number: int, *, size: int, life: int) -> Link:
    """A link that writes one part of an object: exactly ``size`` bytes, because the length is signed as well."""
    query = {"partNumber": str(number), "uploadId": upload_id}
    return _presigned("PUT", object_key, query, life, {"Content-Length": str(size)})


def _presigned(
    method: str, object_key: str, query: dict[str, str], life: int, headers: dict[str, str] | None = None
) -> Link:
    """A presigned URL. ``headers``: headers that the request must have, with these values."""
    now = clock.now()
    url = s3.object_url(_base(), object_key, query)
    request = AWSRequest(method, url, headers={"Host": urlsplit(url).netloc, **(headers or {})})
    credentials = client.credentials()
    auth = S3SigV4QueryAuth(credentials, "s3", settings.aws().region, expires=life)
    auth.add_auth(request)
    return Link(request.url, min(now + timedelta(seconds=life), _session_end(credentials, now)))


def _session_end(credentials: Credentials, now: datetime) -> datetime:
    """When credentials end, and with them the links signed with them."""
    known = client.session_end(credentials)
    if known is not None:
        return known
    lasting = credentials.token is None  # a user's keys, which have no session
    return datetime.max.replace(tzinfo=now.tzinfo) if lasting else now + timedelta(seconds=UNKNOWN_SESSION)


def _base() -> str:
    """The base URL of links: the bucket in the form of the settings, or the embedded engine."""
    aws, known = settings.aws(), settings.current()
    if aws.endpoint_url:
        return f"{known.s3_public_url or aws.endpoint_url}/{known.bucket}"
    address = ADDRESSES[known.s3_links].format(bucket=known.bucket, region=aws.region, domain=aws.domain)
    return f"https://{address}"


def place() -> str:
    """The beginning of links that do not lead through CloudFront, including the bucket."""
    return f"{_base()}/"


def origin() -> str:
    """Scheme and host of such links."""
    parts = urlsplit(_base())
    return f"{parts.scheme}://{parts.netloc}"


# --- CloudFront ------------------------------------------------------------------------------------------------------


def _private_key(pem: str) -> RSAPrivateKey:
    # Imported here: only downloads through CloudFront need it.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("CloudFront's signed URLs with SHA-1 take RSA keys only")
    return key


_key = Parameter("download-key", _private_key)


def _by_cloudfront(object_key: str, query: dict[str, str], life: int) -> Link:
    """A signed URL with a canned policy, which may outlive the role's session.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html
    """
    # Imported here: only downloads through CloudFront need it.
    from botocore.signers import CloudFrontSigner

    known = settings.current()
    expire = (clock.now() + timedelta(seconds=life)).replace(microsecond=0)
    signer = CloudFrontSigner(known.downloads_key_id, _sign)
    return Link(signer.generate_presigned_url(s3.object_url(known.downloads_url, object_key, query), expire), expire)


def _sign(message: bytes) -> bytes:
    # Imported here: only downloads through CloudFront need it.
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA1

    return _key.get().sign(message, PKCS1v15(), SHA1())  # noqa: S303  # the hash that CloudFront verifies with


def make_download_key() -> str:
    """Create a new key for downloads through CloudFront; returns its public key in CloudFront's form (PEM).

    Links signed with the previous key are valid as long as CloudFront has its public key.
    """
    # Imported here: only the admin's command makes keys.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # the size that CloudFront takes
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _key.write(pem.decode(), overwrite=True)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return public.decode()
