"""The embedded engine's services, for tests that look at them directly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import httpx2

from infra.local.engine.process import REGION
from infra.local.signatures import Request, signed

if TYPE_CHECKING:
    from infra.local.engine.process import Engine


def client_of(engine: Engine, service: str) -> Any:
    """A client of one of an engine's services, with every right. Close it."""
    return boto3.client(
        service,
        endpoint_url=engine.endpoint,
        region_name=REGION,
        aws_access_key_id=engine.key.id,
        aws_secret_access_key=engine.key.secret,
    )


def sent_mails(engine: Engine) -> Any:
    """What the engine's SES has sent, as the engine's own page shows it."""
    path = "/_ministack/ses/messages"
    host = urlsplit(engine.endpoint).netloc.encode()
    request = Request("GET", path.encode(), b"", [(b"host", host)])
    headers = signed(request, engine.key, REGION, "ses", datetime.now(UTC))
    answer = httpx2.get(engine.endpoint + path, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()
