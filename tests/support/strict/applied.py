"""Which rules were applied: a rule without matching requests says nothing about the app.

A kind is an operation (``s3:PutObject``), a parameter (``dynamodb.IndexName``), an operator of an expression
(``operator BETWEEN``) or a type of value (``type SS``).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from tests.support.strict.rules import Rule

_CONDITIONS: Final = ("dynamodb.ConditionExpression", "dynamodb.FilterExpression", "dynamodb.KeyConditionExpression")
_ALL_EXPRESSIONS: Final = (*_CONDITIONS, "dynamodb.ProjectionExpression", "dynamodb.UpdateExpression")
_NAMES: Final = ("dynamodb.ExpressionAttributeNames",)
_VALUES: Final = ("dynamodb.ExpressionAttributeValues",)
_WRITES: Final = ("dynamodb:PutItem", "dynamodb:BatchWriteItem", "dynamodb:TransactWriteItems")
_COMPARED: Final = tuple(f"operator {sign}" for sign in ("=", "<>", "<", "<=", ">", ">="))
_UPDATE: Final = ("dynamodb.UpdateExpression",)
_QUERY: Final = ("dynamodb:Query",)
_INDEX: Final = ("dynamodb.IndexName",)
_OBJECTS: Final = ("s3.Key",)

KINDS: Final[dict[Rule, tuple[str, ...]]] = {
    Rule.VALUE_TYPE: ("type S", "type N", "type B"),
    Rule.NUMBER: ("type N",),
    Rule.EMPTY_SET: ("type SS", "type NS", "type BS"),
    Rule.DEPTH: ("type M", "type L"),
    Rule.ITEM_SIZE: _WRITES,
    Rule.KEY_ATTRIBUTES: ("dynamodb.Key", *_WRITES),
    Rule.KEY_EMPTY: ("dynamodb.Key", *_WRITES),
    Rule.KEY_SIZE: ("dynamodb.Key", *_WRITES),
    Rule.INDEX_KEY: (*_WRITES, *_UPDATE),
    Rule.EXPRESSION_EMPTY: _ALL_EXPRESSIONS,
    Rule.EXPRESSION_SIZE: _ALL_EXPRESSIONS,
    Rule.EXPRESSION_SYNTAX: _ALL_EXPRESSIONS,
    Rule.PARENTHESES: _CONDITIONS,
    Rule.NAME_UNDEFINED: _NAMES,
    Rule.NAME_UNUSED: _NAMES,
    Rule.VALUE_UNDEFINED: _VALUES,
    Rule.VALUE_UNUSED: _VALUES,
    Rule.PLACEHOLDERS: (*_NAMES, *_VALUES),
    Rule.RESERVED: _ALL_EXPRESSIONS,
    Rule.SAME_OPERAND: (*_COMPARED, "operator contains"),
    Rule.OPERAND_TYPE: (*_COMPARED[2:], "operator BETWEEN", "operator begins_with", "operator ADD", "operator DELETE"),
    Rule.BETWEEN: ("operator BETWEEN",),
    Rule.IN_SIZE: ("operator IN",),
    Rule.LEGACY: _ALL_EXPRESSIONS,
    Rule.UPDATE_CLAUSE: _UPDATE,
    Rule.UPDATE_OVERLAP: _UPDATE,
    Rule.UPDATE_KEY: _UPDATE,
    Rule.UPDATE_TOP_LEVEL: ("operator ADD", "operator DELETE"),
    Rule.TRANSACTION_ONE_ACTION: ("dynamodb:TransactWriteItems",),
    Rule.TRANSACTION_TWICE: ("dynamodb:TransactWriteItems", "dynamodb:TransactGetItems"),
    Rule.TRANSACTION_SIZE: ("dynamodb:TransactWriteItems",),
    Rule.BATCH_TWICE: ("dynamodb:BatchWriteItem", "dynamodb:BatchGetItem"),
    Rule.BATCH_WRITE_COUNT: ("dynamodb:BatchWriteItem",),
    Rule.BATCH_READ_COUNT: ("dynamodb:BatchGetItem",),
    Rule.BATCH_SIZE: ("dynamodb:BatchWriteItem",),
    Rule.KEY_CONDITION: _QUERY,
    Rule.FILTER_KEY: ("dynamodb.FilterExpression",),
    Rule.INDEX_UNKNOWN: _INDEX,
    Rule.INDEX_CONSISTENT: _INDEX,
    Rule.INDEX_PROJECTION: _INDEX,
    Rule.START_KEY: ("dynamodb.ExclusiveStartKey",),
    Rule.PROJECTION_OVERLAP: ("dynamodb.ProjectionExpression",),
    Rule.RETURN_VALUES: ("dynamodb.ReturnValues",),
    Rule.SELECT: ("dynamodb.ProjectionExpression",),
    Rule.S3_KEY: _OBJECTS,
    Rule.S3_METADATA: ("s3.Metadata",),
    Rule.S3_TAGS: ("s3.Tagging",),
    Rule.S3_PART: ("s3:UploadPart",),
    Rule.S3_COMPLETE: ("s3:CompleteMultipartUpload",),
    Rule.S3_PUT_SIZE: ("s3:PutObject",),
    Rule.S3_BUCKET: ("s3.Bucket",),
    Rule.S3_LINK: ("s3:link",),
    Rule.SQS_BODY: ("sqs:SendMessage", "sqs:SendMessageBatch"),
    Rule.SQS_ATTRIBUTES: ("sqs.MessageAttributes",),
    Rule.SQS_DELAY: ("sqs.DelaySeconds",),
    Rule.SQS_GROUP: ("sqs.MessageGroupId",),
    Rule.SQS_BATCH: ("sqs:SendMessageBatch", "sqs:DeleteMessageBatch", "sqs:ChangeMessageVisibilityBatch"),
    Rule.SQS_RECEIVE: ("sqs:ReceiveMessage",),
    Rule.SQS_QUEUE: ("sqs:CreateQueue", "sqs:SetQueueAttributes"),
    Rule.SSM_NAME: ("ssm.Name", "ssm.Names"),
    Rule.SSM_VALUE: ("ssm:PutParameter",),
    Rule.SES_ADDRESS: ("sesv2:SendEmail",),
    Rule.SES_CONTENT: ("sesv2:SendEmail",),
    Rule.PUSH_SIZE: ("apigatewaymanagementapi:PostToConnection",),
    Rule.TEMPLATE_SIZE: ("cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:CreateChangeSet"),
}
"""The kinds of requests that a rule applies to; rules that are not listed apply to all."""


def idle(seen: AbstractSet[str]) -> list[Rule]:
    """The rules that were never applied, given the kinds of requests."""
    return [rule for rule in Rule if rule in KINDS and seen.isdisjoint(KINDS[rule])]
