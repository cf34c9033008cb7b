"""Patches of the engine for a real ``chalice deploy``.

Each patch says what fails without it. They use private names, so the launcher checks the version.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import hmac
import json
import os
import secrets
import time
from email.utils import parseaddr
from typing import Any

from infra.local.engine import objects, rest_import, sorted_keys

LOG_WAIT = 0.005
"""Seconds to wait for a function's first log line after its answer (the engine's default: 0.05 s)."""

TRANSITION = 1.0
"""Seconds that a thread of the engine may take to start."""

EXPRESSIONS = 1024
"""Cached DynamoDB expressions. The app uses a few hundred, with placeholders for names and values."""

TOKENS_KEPT = 60
"""Seconds for which a transaction's token is remembered (DynamoDB: ten minutes). A call repeats it for 30 s at most."""

Reply = tuple[int, dict[str, str], bytes]


def apply() -> None:
    """Apply all patches. Call once, before the engine serves."""
    _import_rest_apis()
    _numeric_compression_size()
    _lambdas_are_ready_at_once()
    _silent_lambdas_are_fast()
    _lambdas_have_keys_of_their_own()
    _versions_are_read_in_ranges()
    _queues_keep_their_messages()
    _mails_are_sent_in_a_senders_name()
    _parameters_are_allowed_one_by_one()
    _expressions_are_parsed_once()
    _tokens_keep_a_hash()
    _items_are_copied_fast()
    sorted_keys.apply()
    objects.apply()
    _access_logs_can_be_taken_away()


def _import_rest_apis() -> None:
    """ImportRestApi creates an empty API and PutRestApi is unknown, so a deployment would succeed without any route."""
    from ministack.services import apigateway_v1 as gateway

    original = gateway.handle_request

    @functools.wraps(original)
    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Reply:
        reply = rest_import.answer(method, path, body, query)
        if reply is not None:
            return reply
        result: Reply = await original(method, path, headers, body, query)
        return result

    gateway.handle_request = handle_request


def _numeric_compression_size() -> None:
    """Chalice clears ``minimumCompressionSize`` with '', and botocore cannot parse the '' that is returned."""
    from ministack.services import apigateway_v1 as gateway

    original = gateway._update_rest_api

    def update(api_id: str, data: dict[str, Any]) -> Reply:
        reply: Reply = original(api_id, data)
        api = gateway._rest_apis.get(api_id)
        if api is None:
            return reply
        size = api.get("minimumCompressionSize")
        api["minimumCompressionSize"] = None if size in (None, "") else int(size)
        status, headers, _ = reply
        return status, headers, json.dumps(gateway._rest_api_view(api)).encode()

    gateway._update_rest_api = update


def _lambdas_are_ready_at_once() -> None:
    """A new or changed function is Pending for 0.5 s, and botocore's waiter checks again only after 5 s.

    A thread changes the state, so the patch waits for it: on a busy machine botocore's waiter could be faster.
    """
    from ministack.services import lambda_svc

    original = lambda_svc._schedule_state_transition

    def at_once(function: str, _delay: float) -> None:
        original(function, 0.0)
        deadline = time.monotonic() + TRANSITION
        while time.monotonic() < deadline and "InProgress" in (
            lambda_svc._functions.get(function, {}).get("config", {}).get("LastUpdateStatus", "")
        ):
            time.sleep(0.001)

    lambda_svc._schedule_state_transition = at_once


def _silent_lambdas_are_fast() -> None:
    """Every invocation waits 50 ms for a first log line; most of our functions write none."""
    from ministack.core import lambda_runtime

    original = lambda_runtime.Worker._drain_stderr_bounded

    @functools.wraps(original)
    def drain(self: Any, first_line_wait: float = LOG_WAIT, **limits: float) -> str:
        log: str = original(self, first_line_wait=first_line_wait, **limits)
        return log

    lambda_runtime.Worker._drain_stderr_bounded = drain


def _lambdas_have_keys_of_their_own() -> None:
    """A function's access key is derived from its name and its role's, so anyone could compute it.

    Without enforcement of policies it is root's key under another name, which the proxy refuses.
    """
    from ministack import app
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc, sts

    original = lambda_runtime.execution_credentials
    secret = secrets.token_bytes(32)

    def own(config: dict[str, Any]) -> dict[str, str]:
        if not app.AUTH:
            root = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
            return root | {"AWS_SESSION_TOKEN": ""}
        given: dict[str, str] = original(config)
        session = sts._sessions[given["AWS_ACCESS_KEY_ID"]]
        for name, member in (("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"), ("AWS_SESSION_TOKEN", "SessionToken")):
            known = given[name].encode()
            given[name] = session[member] = hmac.digest(secret, known, "sha256").hex()
        return given

    for module in (lambda_runtime, lambda_svc):
        if hasattr(module, "execution_credentials"):
            module.execution_credentials = own


def _versions_are_read_in_ranges() -> None:
    """``GetObject`` of a version ignores ``Range`` and ``response-*``, so downloads by links could not be resumed."""
    from ministack.services import s3

    original = s3._get_object

    @functools.wraps(original)
    def get_object(bucket: str, key: str, headers: dict[str, str], query: dict[str, Any] | None = None) -> Reply:
        reply: Reply = original(bucket, key, headers, query)
        status, answer, body = reply
        wanted = headers.get("range", "")
        if not s3._qp(query or {}, "versionId", "") or status != 200:
            return reply
        s3._apply_response_overrides(answer, query)
        if not wanted:
            return reply
        found = s3._parse_range(wanted, len(body))
        if found is None:
            error = s3._xml_body(s3._range_error_xml(bucket, key))
            return 416, {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}, error
        start, end = found
        answer["Content-Length"] = str(end + 1 - start)
        answer["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
        return 206, answer, body[start : end + 1]

    s3._get_object = get_object


def _queues_keep_their_messages() -> None:
    """A queue is stored under its URL, which contains the engine's port, and that is another one after each start.

    ``CreateQueue`` would then create an empty queue of the same name beside the restored one, whose messages nobody
    could receive any more. Restored queues therefore get their present URL. Several with one name, which earlier
    versions have left, become one queue with the messages of all.
    """
    from ministack.services import sqs

    original = sqs.load_persisted_state

    def load(data: Any) -> None:
        original(data)
        queues = sqs._queues
        for key, queue in list(queues.all_items()):
            scope = sqs._queue_scope_from_record(key, queue)
            if scope is None:
                continue
            account, region, name, url = scope
            present = sqs._queue_url_for_account(account, name)
            if url == present:
                continue
            queues.pop_scoped(account, region, url)
            kept = queues.get_scoped(account, region, present)
            if kept is None:
                queue["url"] = present
                queues.set_scoped(account, region, present, queue)
            else:
                kept["messages"] = sorted(kept["messages"] + queue["messages"], key=lambda message: message["sent_at"])
        sqs._queue_name_to_url.clear()
        sqs._rebuild_queue_name_index()

    sqs.load_persisted_state = load


def _mails_are_sent_in_a_senders_name() -> None:
    """On AWS, ``ses:SendEmail`` needs permission for the sender's identity; the engine checks it for all resources."""
    from ministack.core import iam_actions

    original = iam_actions._ses_v2_resource_arn

    @functools.wraps(original)
    def resource(method: str, path: str, body: bytes, region: str, account_id: str) -> str:
        if (method, path) != ("POST", "/v2/email/outbound-emails"):
            asked: str = original(method, path, body, region, account_id)
            return asked
        _, address = parseaddr(json.loads(body).get("FromEmailAddress", ""))
        return f"arn:aws:ses:{region}:{account_id}:identity/{address}"

    iam_actions._ses_v2_resource_arn = resource


def _parameters_are_allowed_one_by_one() -> None:
    """On AWS, ``ssm:GetParameters`` needs permission for each named parameter; the engine checks it for all."""
    from ministack.core import iam_actions, iam_evaluator

    resource_of, enforce = iam_actions.extract_resource_arn, iam_evaluator.enforce

    @functools.wraps(resource_of)
    def resources(service: str, method: str, path: str, headers: dict[str, str], body: bytes, *more: Any) -> str:
        if service == "ssm" and headers.get("x-amz-target") == "AmazonSSM.GetParameters":
            # Like the engine's function for one name. Names contain no spaces, so one text can hold several.
            names = [json.dumps({"Name": name}).encode() for name in json.loads(body)["Names"]]
            return " ".join(resource_of(service, method, path, headers, each, *more) for each in names)
        asked: str = resource_of(service, method, path, headers, body, *more)
        return asked

    @functools.wraps(enforce)
    def each(*arguments: Any, resource_arn: str = "*", **named: Any) -> Any:
        refusals = (enforce(*arguments, resource_arn=arn, **named) for arn in resource_arn.split(" "))
        return next(filter(None, refusals), None)

    iam_actions.extract_resource_arn = resources
    iam_evaluator.enforce = each


def _expressions_are_parsed_once() -> None:
    """An expression is parsed and checked again for each item that a query or a scan reads."""
    from ministack.services import dynamodb

    tokenize = functools.lru_cache(EXPRESSIONS)(dynamodb._tokenize)
    dynamodb._tokenize = lambda expression: list(tokenize(expression))
    dynamodb._condition_syntax_error = functools.lru_cache(EXPRESSIONS)(dynamodb._condition_syntax_error)
    for name in ("_check_redundant_parens", "_check_reserved_keyword_usage"):
        check = functools.lru_cache(EXPRESSIONS)(getattr(dynamodb, name))
        setattr(dynamodb, name, lambda tokens, *more, check=check: check(tuple(tokens), *more))


class _Hash:
    """Equals what has the same JSON."""

    def __init__(self, value: Any) -> None:
        self._digest = self._of(value)

    def __eq__(self, other: object) -> bool:
        return self._of(other) == self._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    @staticmethod
    def _of(value: Any) -> bytes:
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()


def _tokens_keep_a_hash() -> None:
    """A transaction's token keeps the whole transaction for ten minutes: memory follows all that was written since."""
    from ministack.services import dynamodb

    dynamodb._TXN_TOKEN_TTL = TOKENS_KEPT
    store = dynamodb._txn_token_store
    dynamodb._txn_token_store = lambda token, entry: store(token, entry | {"signature": _Hash(entry["signature"])})


def _items_are_copied_fast() -> None:
    """Each update copies its item with ``deepcopy``, which takes a sixth of the engine's time."""
    original = copy.deepcopy

    def deepcopy(value: Any, memo: Any = None) -> Any:
        """A copy of JSON, in which nothing occurs twice; other values as before."""
        if memo is not None:
            return original(value, memo)
        kind = type(value)
        if kind is dict:
            return {name: deepcopy(member) for name, member in value.items()}
        if kind is list:
            return [deepcopy(member) for member in value]
        return value if kind is str else original(value)

    copy.deepcopy = deepcopy  # type: ignore[assignment]


def _access_logs_can_be_taken_away() -> None:
    """DeleteAccessLogSettings of a WebSocket API's stage deletes the stage."""
    from ministack.services import apigateway as gateway

    original = gateway.handle_request

    @functools.wraps(original)
    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Reply:
        match method, path.strip("/").split("/"):
            case "DELETE", ["v2", "apis", api, "stages", stage, "accesslogsettings"]:
                reply: Reply = gateway._update_stage(api, stage, {"accessLogSettings": {}})
                return reply if reply[0] >= 400 else (204, {}, b"")  # HTTP
        answer: Reply = await original(method, path, headers, body, query)
        return answer

    gateway.handle_request = handle_request
