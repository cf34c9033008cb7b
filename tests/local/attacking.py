"""Helpers for attacks: links and requests signed by AWS's own client, valid or not, and raw requests."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.engine.process import REGION
from infra.local.signatures import Key

if TYPE_CHECKING:
    import httpx2

    from infra.local.testing import LocalServer

BUCKET = "lamplighter-local-artifacts"
SECRET = b"what nobody else may read"
FORM = "application/x-www-form-urlencoded"
REFUSED = {400, 403, 404, 405}

ROUTES = """
import json
from ministack.app import SERVICE_REGISTRY
from ministack.core.router import SERVICE_PATTERNS
targets = {name: pattern.get("target_prefixes", []) for name, pattern in SERVICE_PATTERNS.items()}
print(json.dumps({name: targets.get(name, []) for name in sorted({*SERVICE_REGISTRY, *targets})}))
"""
"""Prints every service of an unrestricted engine, with the prefix of its ``X-Amz-Target``."""


def sign(  # everything that a signature covers
    server: LocalServer,
    method: str = "GET",
    path: str = f"/{BUCKET}/tenant/kept",
    query: dict[str, str] | None = None,
    *,
    key: Key | None = None,
    service: str = "s3",
    region: str = REGION,
    life: int = 60,
    host: str = "",
    headers: dict[str, str] | None = None,
) -> str:
    """A link that botocore has signed, valid unless an argument says otherwise."""
    used = key or server.engine.key
    url = f"{server.url}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    request = AWSRequest(method, url, headers={"Host": host or urlsplit(server.url).netloc, **(headers or {})})
    S3SigV4QueryAuth(Credentials(used.id, used.secret, used.token), service, region, expires=life).add_auth(request)
    link: str = request.url
    return link


def changed(link: str, **parameters: str | None) -> str:
    """The link with other values of some parameters (``_`` for ``-`` in names), or without them."""
    url = urlsplit(link)
    new = {name.replace("_", "-"): value for name, value in parameters.items()}
    pairs = [(name, new.get(name, value)) for name, value in parse_qsl(url.query, keep_blank_values=True)]
    return url._replace(query=urlencode([pair for pair in pairs if pair[1] is not None], quote_via=quote)).geturl()


def is_refused(answer: httpx2.Response) -> bool:
    """Whether the answer is only a refusal, which pages of other sites cannot read."""
    silent = not any(name.startswith("access-control-") for name in answer.headers)
    return answer.status_code in REFUSED and SECRET not in answer.content and silent


def headers_for(key: Key, method: str, url: str, service: str, body: bytes, target: str) -> dict[str, str]:
    """The headers of a call of a JSON protocol, signed by botocore."""
    kind = "application/x-amz-json-1.1"
    request = AWSRequest(method, url, data=body, headers={"X-Amz-Target": target, "Content-Type": kind})
    SigV4Auth(Credentials(key.id, key.secret), service, REGION).add_auth(request)
    return {**dict(request.headers.items()), "Host": urlsplit(url).netloc}
