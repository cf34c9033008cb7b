"""Lambda SnapStart: what a function loads before its snapshot is made, and what it drops after each restore.

Lambda imports the app once, when a version is published. Each process begins as a copy of that memory, hours or weeks
later (``docs.aws.amazon.com/lambda/latest/dg/snapstart.html``). Imported modules cost these processes nothing, so all
are imported. What must not be old, nor the same in two processes, is dropped by :func:`after_restore`.
``docs/install.md#snapstart`` lists what that is; a test finds caches that are missing here.
"""

from __future__ import annotations

import os
import pkgutil
import random
import ssl
from importlib import import_module
from typing import Final

import chalicelib
from chalicelib import cache
from chalicelib.aws import client
from chalicelib.storage import credentials, dynamodb, pool

_LIBRARIES: Final = (
    "argon2",
    "aws_lambda_powertools",
    "bcrypt",
    "botocore.credentials",
    "cryptography.x509",
    "encodings.idna",
    "jwt",
    "urllib3",
)
"""Libraries that only functions import. Everything else is imported by our modules."""


def prepare() -> None:
    """Import everything, and register the hook. No call to AWS is made: its answer would be in the snapshot."""
    for each in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        import_module(each.name)
    for name in _LIBRARIES:
        import_module(name)
    pool.trust()
    try:
        runtime = import_module("snapshot_restore_py")
    except ImportError:
        # Only Lambda's Python has it, and no package index. Without it, just the random numbers would be the same in
        # all processes, because nothing was called yet.
        return
    runtime.register_after_restore(after_restore)


def after_restore() -> None:
    """Drop what is old or must differ between processes. The monotonic clock has not counted the time in between."""
    random.seed()
    ssl.RAND_add(os.urandom(32), 32)  # OpenSSL takes its own state for that of one process
    cache.forget_all()
    credentials.forget()
    client.pool().clear()
    dynamodb.shared().close()
