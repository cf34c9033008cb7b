"""Runs a server whose engine runs in another process: ``python -m tests.drills.serve``.

Engine, tables and settings come from the environment. It prints its URL, and serves until its input ends.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from infra.local.gateway import Gateway
from infra.local.s3_proxy import Bucket
from infra.local.server import Server
from infra.local.testing import the_app
from infra.local.workers import Workers


def main() -> None:
    """Serve."""
    with ExitStack() as running:
        server = Server("127.0.0.1", 0, None)
        running.callback(server.stop)
        os.environ["LAMPLIGHTER_PUBLIC_URL"] = os.environ["LAMPLIGHTER_S3_PUBLIC_URL"] = server.url()
        app = the_app()
        workers = Workers(app)
        workers.start()
        running.callback(workers.stop)
        server.start(Gateway(app, bucket=Bucket.of_environment()))
        print(server.url(), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
