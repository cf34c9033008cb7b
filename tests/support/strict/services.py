"""Rules for requests to S3, SQS, SSM, SES, websockets and CloudFormation that are documented, but not in the models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any, Final
from urllib.parse import parse_qsl

from tests.support.strict.models import Complain
from tests.support.strict.rules import Rule

_KEY: Final = 1024
_METADATA: Final = 2048
_PARTS: Final = 10_000
_SMALLEST_PART: Final = 5 * 1024 * 1024
_LARGEST_PUT: Final = 5 * 1024**3
_MESSAGE: Final = 1024 * 1024
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUP: Final = re.compile(r"[\x21-\x7e]{1,128}")
_BATCH_ID: Final = re.compile(r"[\w-]{1,80}", re.ASCII)
_ATTRIBUTE: Final = re.compile(r"(?!AWS\.|Amazon\.|\.)[\w.-]{1,256}(?<!\.)", re.ASCII | re.IGNORECASE)
_QUEUE: Final = re.compile(r"[\w-]{1,80}|[\w-]{1,75}\.fifo", re.ASCII)
_PARAMETER: Final = re.compile(r"/?[\w.-]+(/[\w.-]+)*", re.ASCII)
_BUCKET: Final = re.compile(r"(?!xn--|sthree-)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_ADDRESS: Final = re.compile(r"[\x21-\x7e]{1,64}@[A-Za-z0-9.-]{1,255}")
_FRAME: Final = 128 * 1024
_TEMPLATE: Final = 51_200
_WEEK: Final = 7 * 24 * 3600
_QUEUE_BOUNDS: Final = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, _MESSAGE),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}


class Services:
    """The rules, and the uploaded parts so far."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        """The parameters so far."""
        self._uploads: dict[str, dict[int, int]] = {}

    def check(self, service: str, operation: str, params: Mapping[str, Any], complain: Complain) -> None:
        """Check an operation's parameters against the rules of its service."""
        self.seen.update(map(f"{service}.".__add__, params))
        check = getattr(self, f"_{service}", None)
        if check is not None:
            check(operation, params, complain)

    # S3.

    def _s3(self, operation: str, params: Mapping[str, Any], complain: Complain) -> None:
        if "Key" in params and not 1 <= len(str(params["Key"]).encode()) <= _KEY:
            complain(f"the key has {len(str(params['Key']).encode())} bytes", Rule.S3_KEY)
        if "Bucket" in params and not _BUCKET.fullmatch(str(params["Bucket"])) and ":" not in str(params["Bucket"]):
            complain(f"the bucket is {params['Bucket']}", Rule.S3_BUCKET)
        if metadata := params.get("Metadata"):
            whole = "".join(f"{name}{value}" for name, value in metadata.items())
            if len(whole.encode()) > _METADATA or not whole.isascii():
                complain(f"the metadata has {len(whole.encode())} bytes", Rule.S3_METADATA)
        if isinstance(tagging := params.get("Tagging"), str):
            _tags(tagging, complain)
        self._bytes(operation, params, complain)

    def _bytes(self, operation: str, params: Mapping[str, Any], complain: Complain) -> None:
        """The bytes of an object or a part."""
        body = params.get("Body")
        # A link has no body, but its length may be signed.
        amount = len(body) if isinstance(body, bytes | bytearray | str) else params.get("ContentLength")
        if operation == "PutObject" and amount is not None and amount > _LARGEST_PUT:
            complain(f"the body has {amount} bytes", Rule.S3_PUT_SIZE)
        if operation == "UploadPart":
            number = params.get("PartNumber", 0)
            if isinstance(number, int) and not 1 <= number <= _PARTS:
                complain(f"the part is {number}", Rule.S3_PART)
            if amount is not None:
                self._uploads.setdefault(str(params.get("UploadId")), {})[number] = amount
        if operation in {"AbortMultipartUpload", "CompleteMultipartUpload"}:
            sizes = self._uploads.pop(str(params.get("UploadId")), {})
            if operation == "CompleteMultipartUpload":
                _completion(params, sizes, complain)

    # SQS.

    def _sqs(self, operation: str, params: Mapping[str, Any], complain: Complain) -> None:
        if operation == "SendMessage":
            _message(params, complain)
        elif operation.endswith("Batch"):
            _batch(operation, params, complain)
        elif operation == "ReceiveMessage":
            for name, low, high in (
                ("MaxNumberOfMessages", 1, 10),
                ("WaitTimeSeconds", 0, 20),
                ("VisibilityTimeout", 0, 43_200),
            ):
                if name in params and not low <= params[name] <= high:
                    complain(f"{name} is {params[name]}", Rule.SQS_RECEIVE)
        elif operation in {"CreateQueue", "SetQueueAttributes"}:
            if "QueueName" in params and not _QUEUE.fullmatch(params["QueueName"]):
                complain(f"the queue is {params['QueueName']}", Rule.SQS_QUEUE)
            for name, (low, high) in _QUEUE_BOUNDS.items():
                if name in (given := params.get("Attributes") or {}) and not low <= int(given[name]) <= high:
                    complain(f"{name} is {given[name]}", Rule.SQS_QUEUE)

    # SSM.

    def _ssm(self, operation: str, params: Mapping[str, Any], complain: Complain) -> None:
        names = [params["Name"]] if isinstance(params.get("Name"), str) else list(params.get("Names") or ())
        if "Parameter" in operation:
            for name in names:
                _parameter_name(name, complain)
        if operation == "PutParameter":
            amount = len(str(params.get("Value", "")))
            most = 8192 if params.get("Tier") in {"Advanced", "Intelligent-Tiering"} else 4096
            if not 1 <= amount <= most:
                complain(f"the value has {amount} characters, and {most} are allowed", Rule.SSM_VALUE)

    # SES.

    def _sesv2(self, operation: str, params: Mapping[str, Any], complain: Complain) -> None:
        if operation != "SendEmail":
            return
        destination = params.get("Destination") or {}
        to = [each for kind in ("ToAddresses", "CcAddresses", "BccAddresses") for each in destination.get(kind) or ()]
        if not 1 <= len(to) <= 50:
            complain(f"the mail goes to {len(to)}", Rule.SES_ADDRESS)
        for address in (params.get("FromEmailAddress"), *to):
            if not _ADDRESS.fullmatch(parseaddr(str(address))[1]):
                complain(f"the address is {address!r}", Rule.SES_ADDRESS)
        if simple := (params.get("Content") or {}).get("Simple"):
            subject = (simple.get("Subject") or {}).get("Data") or ""
            bodies = [each.get("Data") for each in (simple.get("Body") or {}).values()]
            if not subject or re.search(r"[\r\n]", subject) or not any(bodies):
                complain(f"the subject is {subject!r}", Rule.SES_CONTENT)

    # Websockets.

    def _apigatewaymanagementapi(self, operation: str, params: Mapping[str, Any], complain: Complain) -> None:
        if operation == "PostToConnection":
            data = params.get("Data") or b""
            amount = len(data.encode() if isinstance(data, str) else data)
            if not 1 <= amount <= _FRAME:
                complain(f"the message has {amount} bytes", Rule.PUSH_SIZE)

    # CloudFormation.

    def _cloudformation(self, _: str, params: Mapping[str, Any], complain: Complain) -> None:
        amount = len(str(params.get("TemplateBody", "")).encode())
        if amount > _TEMPLATE:
            complain(f"the template has {amount} bytes", Rule.TEMPLATE_SIZE)


def check_link(life: int, complain: Complain) -> None:
    """Check the lifetime of a presigned link."""
    if not 1 <= life <= _WEEK:
        complain(f"the link lives for {life} seconds", Rule.S3_LINK)


def _tags(text: str, complain: Complain) -> None:
    tags = parse_qsl(text, keep_blank_values=True)
    longest = any(not 1 <= len(name) <= 128 or len(value) > 256 for name, value in tags)
    if len(tags) > 10 or longest or len(dict(tags)) != len(tags):
        complain(f"the tags are {text}", Rule.S3_TAGS)


def _completion(params: Mapping[str, Any], sizes: Mapping[int, int], complain: Complain) -> None:
    parts = (params.get("MultipartUpload") or {}).get("Parts") or []
    numbers = [part.get("PartNumber", 0) for part in parts]
    if not numbers or numbers != sorted(set(numbers)) or not all(part.get("ETag") for part in parts):
        complain(f"the parts are {numbers[:20]}", Rule.S3_COMPLETE)
    for number in numbers[:-1]:
        if sizes.get(number, _SMALLEST_PART) < _SMALLEST_PART:
            complain(f"part {number} has {sizes[number]} bytes and is not the last", Rule.S3_PART)


def _batch(operation: str, params: Mapping[str, Any], complain: Complain) -> None:
    entries = params.get("Entries") or []
    ids = [str(entry.get("Id")) for entry in entries]
    if not 1 <= len(ids) <= 10 or len(set(ids)) != len(ids) or not all(map(_BATCH_ID.fullmatch, ids)):
        complain(f"the ids are {ids}", Rule.SQS_BATCH)
    if operation == "SendMessageBatch":
        whole = sum(_message(entry, complain) for entry in entries)
        if whole > _MESSAGE:
            complain(f"the batch has {whole} bytes", Rule.SQS_BODY)


def _message(params: Mapping[str, Any], complain: Complain) -> int:
    """A message to send; its size."""
    body = str(params.get("MessageBody", ""))
    attributes: Mapping[str, Any] = params.get("MessageAttributes") or {}
    whole = len(body.encode("utf-8", "surrogatepass"))
    for name, about in attributes.items():
        kind = str(about.get("DataType", ""))
        value = about.get("StringValue") or about.get("BinaryValue") or ""
        if not _ATTRIBUTE.fullmatch(name) or kind.partition(".")[0] not in {"String", "Number", "Binary"} or not value:
            complain(f"attribute {name} of type {kind!r} is {value!r:.80}", Rule.SQS_ATTRIBUTES)
        whole += len(name) + len(kind) + len(value)
    if len(attributes) > 10:
        complain(f"there are {len(attributes)} attributes", Rule.SQS_ATTRIBUTES)
    if not body or whole > _MESSAGE or _NOT_XML.search(body):
        complain(f"the message has {whole} bytes: {body!r:.80}", Rule.SQS_BODY)
    if not 0 <= params.get("DelaySeconds", 0) <= 900:
        complain(f"the delay is {params['DelaySeconds']}", Rule.SQS_DELAY)
    if "MessageGroupId" in params and not _GROUP.fullmatch(str(params["MessageGroupId"])):
        complain(f"the group is {params['MessageGroupId']!r:.200}", Rule.SQS_GROUP)
    return whole


def _parameter_name(name: str, complain: Complain) -> None:
    plain = name.partition(":")[0] if not name.startswith("arn:") else ""  # a version or label may follow
    begins = plain.lstrip("/").lower()
    if plain and (
        not _PARAMETER.fullmatch(plain) or plain.strip("/").count("/") >= 15 or begins.startswith(("aws", "ssm"))
    ):
        complain(f"the name is {name}", Rule.SSM_NAME)
