"""Calls to servers that a tenant names: webhooks, identity providers. The only outgoing calls except those to AWS.

A user who can name a URL could try to make this server call what only it can reach: the metadata service, a database,
an internal admin page. Calls therefore go to public unicast addresses only, and to exactly the address that was
checked, so that a name that resolves differently in between has no effect.
"""

from __future__ import annotations

from chalicelib.outbound.client import Answer, parse, request
from chalicelib.outbound.targets import Failed, OutboundError, Refused, Target

__all__ = ["Answer", "Failed", "OutboundError", "Refused", "Target", "parse", "request"]
