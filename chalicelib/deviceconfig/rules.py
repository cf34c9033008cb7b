"""Limits of a configuration."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest


def check_size(configuration: Mapping[str, str]) -> None:
    """Check that a configuration fits into its item and into the artifact of its deployment.

    Raises:
        BadRequest: it is too large.
    """
    if len(msgspec.json.encode(configuration)) > limits.CONFIGURATION:
        raise BadRequest(f"invalid request body: the configuration is too large (max: {limits.CONFIGURATION} bytes)")
