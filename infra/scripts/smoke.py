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
    """Run, with what is not said taken from what was deployed last from this folder."""
    parser = argparse.ArgumentParser(description="Check a deployed server.")
    parser.add_argument("--url", default="", help="the server; else the stage that was deployed last from here")
    parser.add_argument("--websocket", default="", help="its WebSocket API, wss://...; else no session is tried")
    parser.add_argument("--email", default=os.environ.get("EMAIL", ""), help="who logs in ($EMAIL)")
    parser.add_argument("--ca", default=None, type=Path, help="certificates to trust, PEM")
    given = parser.parse_args()
    password = os.environ.get("PASSWORD", "")
    if not given.url:
        return 0 if smoke_last() else 1
    if not given.email or not password:
        parser.error("name who logs in: make smoke URL=... EMAIL=... PASSWORD=...")
    ca = str(given.ca) if given.ca else None
    report = functools.partial(print, flush=True)
    smoke = Smoke(given.url, given.email, password, websocket_url=given.websocket, ca=ca, report=report)
    return 0 if smoke.run() else 1


if __name__ == "__main__":
    sys.exit(main())
