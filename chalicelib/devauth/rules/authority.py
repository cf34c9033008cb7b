"""CA certificates of acceptance rules as they are stored. ``certificates`` reads and uses them."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Authority(msgspec.Struct, frozen=True):
    """A CA certificate."""

    pem: str
    subject: str
    """Its subject as RFC 4514 writes it, for people."""
    not_after: datetime
