"""The documented example for verifying signatures works."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.integrations.rules.events import Kind, Scope
from tests.integrations.conftest import SECRET, Hooks

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"


def test_the_example_accepts_only_valid_signatures(hooks: Hooks, world):
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    known: dict[str, Any] = {}
    exec(example, known)  # noqa: S102  # it is ours
    hook = hooks(secret=SECRET)
    world.device()
    hook.posted()

    assert len(hook.listener.received) == 3
    for sent in hook.listener.received:
        assert known["event"](SECRET, sent.headers, sent.body) == json.loads(sent.body)
        for secret, body in ((SECRET[::-1], sent.body), (SECRET, sent.body + b" ")):
            with pytest.raises(ValueError, match="not from"):
                known["event"](secret, sent.headers, body)


def test_the_page_lists_every_event_and_scope():
    text = PAGE.read_text()
    assert [name for name in (*Kind, *Scope) if f"`{name}`" not in text] == []
