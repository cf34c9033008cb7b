"""The logger. Lines are JSON; they never hold a token, a key, a password or a device's identity data."""

from __future__ import annotations

from aws_lambda_powertools import Logger

from chalicelib import settings

logger = Logger(service="lamplighter", level=settings.current().log_level, utc=True)
