"""``make smoke``: checks a deployed server, or the stage that was deployed last from this folder."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from pathlib import Path

from infra.deploy.smoke import Smoke
from infra.scripts.deploy import smoke_last


def main() -> int:
    """Run; missing options are those of the stage that was last deployed from this folder."""
    parser = argparse.ArgumentParser(description="Check a deployed server.")
    parser.add_argument("--url", default="", help="the server; default: the stage last deployed from this folder")
    parser.add_argument(
        "--websocket", default="", help="its WebSocket API, wss://...; without it, sessions are not checked"
    )
    parser.add_argument("--email", default=os.environ.get("EMAIL", ""), help="the user's address ($EMAIL)")
    parser.add_argument("--ca", default=None, type=Path, help="trusted certificates, PEM")
    given = parser.parse_args()
    password = os.environ.get("PASSWORD", "")
    if not given.url:
        return 0 if smoke_last() else 1
    if not given.email or not password:
        parser.error("a user is missing: make smoke URL=... EMAIL=... PASSWORD=...")
    ca = str(given.ca) if given.ca else None
    report = functools.partial(print, flush=True)
    smoke = Smoke(given.url, given.email, password, websocket_url=given.websocket, ca=ca, report=report)
    return 0 if smoke.run() else 1


if __name__ == "__main__":
    sys.exit(main())
