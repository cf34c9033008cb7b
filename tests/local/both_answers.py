"""Runs calls of DynamoDB in the engine's interpreter, and answers each Query twice: as we patched it, and as it was.

Reads a JSON list of calls ``[action, parameters]`` from each line, runs them on empty tables, and prints the list of
their answers. The answer to a Query is a list of two pairs, of the patched function and of the engine's own: the
answer, and how often the function looked at an item. ``["Restart", {}]`` restores the tables from their stored state,
and ``["Expire", {}]`` deletes expired items, as the engine does every minute. The first argument is the number of items
of which a partition needs no sorted keys.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from types import SimpleNamespace
from typing import Any

from ministack.core import persistence
from ministack.services import dynamodb

from infra.local.engine import sorted_keys

_looked = 0


def _counted(function: Any) -> Any:
    def counting(*arguments: Any, **named: Any) -> Any:
        global _looked  # noqa: PLW0603
        _looked += 1
        return function(*arguments, **named)

    return counting


def _query(function: Any, data: dict[str, Any]) -> Any:
    global _looked  # noqa: PLW0603
    _looked = 0
    status, _, body = function(data)
    return [[status, json.loads(body)], _looked]


def _restart() -> None:
    stored = {"payload": dynamodb.get_state()}
    text = json.dumps(stored, default=persistence._json_default)
    dynamodb.reset()
    dynamodb.load_persisted_state(json.loads(text, object_hook=persistence._json_object_hook)["payload"])


def _expire() -> None:
    waited = iter([None])

    def sleep(_seconds: float) -> None:
        next(waited)

    dynamodb.time = SimpleNamespace(time=time.time, sleep=sleep)
    try:
        dynamodb._ttl_reaper()
    except StopIteration:
        pass
    finally:
        dynamodb.time = time


def _answer(action: str, data: dict[str, Any]) -> Any:
    match action:
        case "Restart":
            return _restart()
        case "Expire":
            return _expire()
        case "Query":
            return [_query(dynamodb._query, data), _query(engines_query, data)]
    target = {"x-amz-target": f"DynamoDB_20120810.{action}"}
    status, _, body = asyncio.run(dynamodb.handle_request("POST", "/", target, json.dumps(data).encode(), {}))
    return [status, json.loads(body)]


if __name__ == "__main__":
    for name in ("_evaluate_condition", "_index_order_value", "_sort_key_value", "_item_size_bytes"):
        setattr(dynamodb, name, _counted(getattr(dynamodb, name)))
    sorted_keys.FEW = int(sys.argv[1])
    engines_query = dynamodb._query
    sorted_keys.apply()
    for line in sys.stdin:
        dynamodb.reset()
        print(json.dumps([_answer(*call) for call in json.loads(line)]), flush=True)
