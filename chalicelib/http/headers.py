"""Headers that every answer has, by whichever door. The relay has this module in its image, and nothing of AWS."""

from __future__ import annotations

import uuid

from chalicelib import limits

NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}
"""For answers that belong to no request of the API, such as objects of the bucket."""

REQUEST_ID = "x-men-requestid"
"""Header with which a client names its request, in lower case."""


def request_id(given: str | None) -> str:
    """The id of a request: the one that its client gave, if it is short and printable ASCII; else a new one.

    It is sent back in a header, by every door.
    """
    if given and len(given) <= limits.REQUEST_ID and given.isascii() and given.isprintable():
        return given
    return str(uuid.uuid4())


def standard_headers(request_id: str) -> dict[str, str]:
    """What every answer has, by whichever door and whoever gives it.

    With ``nosniff``, a browser takes an answer for what its ``Content-Type`` says, never for a page with a script.
    """
    return {"X-MEN-RequestID": request_id, **NO_SNIFFING}
