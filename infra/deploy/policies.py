"""The IAM policies of functions, from :mod:`infra.deploy.functions`, for one stage."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

from infra.deploy.functions import AUDIT, deployed_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.deploy.functions import Function, Objects, Stage

Statement = dict[str, Any]

READ = ("BatchGetItem", "ConditionCheckItem", "GetItem", "Query")
WRITE = ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")
SENDER = "LAMPLIGHTER_MAIL_FROM"
_COLONS = 5
"""The beginning of an ARN: ``arn:partition:service:region:account:``."""
UNDO = ("BatchWriteItem", "DeleteItem", "UpdateItem")


@dataclass(frozen=True, slots=True)
class Binding:
    """Values that are known only at deployment, for the ARNs of policies."""

    partition: str
    region: str
    account: str
    bucket: tuple[str, str]
    """The configured name, and the real one."""
    websocket_api: str
    """Its id, which AWS assigns."""

    def bind(self, document: Any) -> Any:
        """The same policy, or the same ARN, for this partition, region, account, bucket and WebSocket API alone."""
        if isinstance(document, list):
            return [self.bind(each) for each in document]
        if isinstance(document, dict):
            return {key: self.bind(value) for key, value in document.items()}
        if isinstance(document, str) and document.startswith("arn:") and document.count(":") >= _COLONS:
            return self._bind(document)
        return document

    def _bind(self, arn: str) -> str:
        _, _, service, region, account, resource = arn.split(":", _COLONS)
        if service == "s3":
            bucket, slash, keys = resource.partition("/")
            configured, real = self.bucket
            resource = f"{real if bucket == configured else bucket}{slash}{keys}"
        if service == "execute-api":
            resource = f"{self.websocket_api}/{resource.removeprefix('*/')}"
        place = [self.region if region == "*" else region, self.account if account == "*" else account]
        return ":".join(["arn", self.partition, service, *place, resource])


def policy(function: Function, stage: Stage) -> dict[str, Any]:
    """The policy of a function's role."""
    statements = list(_statements(function, stage, f"arn:aws:s3:::{stage.bucket}"))
    for statement in statements:
        statement["Resource"] = [_in_partition(arn, stage.partition) for arn in statement["Resource"]]
    return {"Version": "2012-10-17", "Statement": statements}


def _in_partition(arn: str, partition: str) -> str:
    return arn.replace("arn:aws:", f"arn:{partition}:", 1)


def _statements(function: Function, stage: Stage, bucket: str) -> Iterator[Statement]:
    yield _allow("Logs", ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"), _logs(function, stage))
    if function.reads:
        yield _allow("ReadTables", _dynamodb(READ), _tables(stage, function.reads))
    if function.writes:
        yield _allow("WriteTables", _dynamodb(READ + WRITE), _tables(stage, function.writes))
    for note in function.notes:
        alone = {"ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", *note.attributes]}}
        yield _allow("Notes", _dynamodb(("UpdateItem",)), _tables(stage, (note.table,))[:1]) | {"Condition": alone}
    if function.audits:
        # Whatever else is granted now or later: entries cannot be changed or deleted.
        entries = _tables(stage, (AUDIT,))[:1]
        yield _allow("AddAuditEntries", _dynamodb(("PutItem",)), entries)
        yield _allow("AuditEntriesStay", _dynamodb(UNDO), entries) | {"Effect": "Deny"}
    yield from _objects(function.objects, bucket)
    if function.takes:
        actions = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
        yield _allow("TakeMessages", [f"sqs:{action}" for action in actions], _queues(stage, [function.takes]))
    if function.sends:
        yield _allow("SendMessages", ("sqs:GetQueueUrl", "sqs:SendMessage"), _queues(stage, function.sends))
    if function.keys:
        names = [f"arn:aws:ssm:*:*:parameter/lamplighter/{stage.name}/{key}" for key in function.keys]
        # The first is for functions of an earlier version, which run during an update.
        yield _allow("Keys", ("ssm:GetParameter", "ssm:GetParameters"), names)
    yield from _reaching_out(function, stage)


def _reaching_out(function: Function, stage: Stage) -> Iterator[Statement]:
    """Mails, messages to websockets, and traces."""
    if function.mails and (identities := _senders(stage.settings.get(SENDER, ""))):
        yield _allow("Mails", ("ses:SendEmail",), [f"arn:aws:ses:*:*:identity/{each}" for each in identities])
    if function.pushes:
        sockets = [f"arn:aws:execute-api:*:*:*/api/{method}/@connections/*" for method in ("DELETE", "POST")]
        yield _allow("Websockets", ("execute-api:ManageConnections",), sockets)
    if stage.tracing:
        # X-Ray actions support no resources in policies (Service Authorization Reference, AWS X-Ray).
        yield _allow("Traces", ("xray:PutTelemetryRecords", "xray:PutTraceSegments"), ["*"])


def _senders(sender: str) -> list[str]:
    """The identities of Amazon SES for a sender: the address, its domain, and parent domains."""
    address = parseaddr(sender)[1]
    labels = address.rpartition("@")[2].split(".")
    domains = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    return [address, *domains] if domains else []


def _objects(granted: tuple[Objects, ...], bucket: str) -> Iterator[Statement]:
    for number, each in enumerate(granted):
        actions = (
            (["GetObject", "GetObjectVersion"] if each.read else [])
            + (["AbortMultipartUpload", "PutObject"] if each.write else [])
            + (["ListMultipartUploadParts", "PutObject"] if each.parts else [])
            # The bucket's lifecycle rule selects recordings by tag.
            + (["PutObjectTagging"] if each.write and {"*", "recordings"} & {*each.kinds} else [])
            # Also of incomplete uploads.
            + (["AbortMultipartUpload", "DeleteObject", "DeleteObjectVersion"] if each.delete else [])
        )
        keys = [f"{bucket}/*" if kind == "*" else f"{bucket}/*/{kind}/*" for kind in each.kinds]
        yield _allow(f"Objects{number or ''}", [f"s3:{action}" for action in sorted({*actions})], keys)
    if any(each.list for each in granted):
        listing = ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions")
        yield _allow("ListObjects", listing, [bucket])
    elif any(each.read for each in granted):
        yield _allow("MissingObjectsAre404", ("s3:ListBucket",), [bucket])


def _logs(function: Function, stage: Stage) -> list[str]:
    """The function's log group, for all ways of deployment."""
    return [f"arn:aws:logs:*:*:log-group:/aws/lambda/{deployed_name(function, stage.name)}:*"]


def _dynamodb(operations: Iterable[str]) -> list[str]:
    return [f"dynamodb:{operation}" for operation in sorted(operations)]


def _tables(stage: Stage, names: Iterable[str]) -> list[str]:
    """The tables, then their indexes."""
    tables = [f"arn:aws:dynamodb:*:*:table/{stage.table_prefix}{name}" for name in sorted(names)]
    return [each + suffix for suffix in ("", "/index/*") for each in tables]


def _queues(stage: Stage, names: Iterable[str]) -> list[str]:
    return [f"arn:aws:sqs:*:*:lamplighter-{stage.name}-{name}" for name in sorted(names)]


def _allow(sid: str, actions: Iterable[str], resources: list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resources}
