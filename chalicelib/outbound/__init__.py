"""Calls to servers that a tenant names: webhooks, identity providers. The only way out of the server but AWS.

Whoever can name a URL would like this server to call what only it can reach: the metadata service, a database, an
admin page of the network that it runs in. So a call goes to public unicast addresses only, and the address that was
checked is the one that is connected to: a name that resolves anew in between changes nothing.
"""

from __future__ import annotations

from chalicelib.outbound.client import Answer, parse, request
from chalicelib.outbound.targets import Failed, OutboundError, Refused, Target

__all__ = ["Answer", "Failed", "OutboundError", "Refused", "Target", "parse", "request"]
