"""The links of a list's answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


def relations(answer: httpx2.Response) -> dict[str, str]:
    """The links of the ``Link`` header by relation."""
    text = ", ".join(answer.headers.get_list("Link"))
    return {relation: target for target, relation in re.findall(r'<([^>]*)>; rel="(\w+)"', text)}
