"""Files in answers, whole or in part, so that a device can resume a download."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chalicelib import text
from chalicelib.http.request import Reply

if TYPE_CHECKING:
    from chalicelib.http.request import Request

_RANGE = re.compile(r"bytes=([0-9]{1,15})?-([0-9]{1,15})?")


def reply(request: Request, data: bytes, *, content_type: str, filename: str) -> Reply[str]:
    """``data``, or the part in the request's ``Range``; 416 for a part beyond its end.

    ``data`` must be ASCII. API Gateway passes text unchanged to every client, but bytes only to clients whose
    ``Accept`` has their type, and devices send none.
    """
    headers: dict[str, str | list[str]] = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Disposition": text.attachment(filename),
        # If API Gateway compressed it, it would have no length, and devices refuse files of unknown size.
        "Content-Encoding": "identity",
    }
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or not any(found.groups()):
        # Anything but one simple range may be answered with the whole file.
        return Reply(200, data.decode("ascii"), headers, content_type)
    first, last = found.groups()
    if first is None:
        start, stop = max(0, len(data) - int(last)), len(data)
    else:
        start, stop = int(first), min(int(last) + 1, len(data)) if last else len(data)
    if start >= stop:
        return Reply(416, None, {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Reply(206, data[start:stop].decode("ascii"), headers, content_type)
