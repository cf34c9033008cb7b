"""Headers of every answer, through any gateway. The relay contains this module, and nothing of AWS."""

from __future__ import annotations

import uuid

from chalicelib import limits

NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}
"""For answers outside the API, such as objects of the bucket."""

REQUEST_ID = "x-men-requestid"
"""The header with a client's request id, in lower case."""


def request_id(*given: str | None) -> str:
    """The id of a request: the first of these that is short and printable ASCII; otherwise a new one.

    It is returned in a header, through any gateway.
    """
    for each in given:
        if each and len(each) <= limits.REQUEST_ID and each.isascii() and each.isprintable():
            return each
    return str(uuid.uuid4())


def standard_headers(request_id: str) -> dict[str, str]:
    """The headers of every answer, through any gateway.

    With ``nosniff``, a browser interprets an answer by its ``Content-Type`` only, never as a page with a script.
    """
    return {"X-MEN-RequestID": request_id, **NO_SNIFFING}
