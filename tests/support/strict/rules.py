"""The rules for requests, and the page of AWS's documentation for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from threading import Lock
from typing import Final

_DOCS: Final = "https://docs.aws.amazon.com/"
_DYNAMODB: Final = _DOCS + "amazondynamodb/latest/"
_LIMITS: Final = _DYNAMODB + "developerguide/Constraints.html"
_EXPRESSIONS: Final = _DYNAMODB + "developerguide/Expressions."
_UPDATE: Final = _EXPRESSIONS + "UpdateExpressions.html"
_OPERATORS: Final = _EXPRESSIONS + "OperatorsAndFunctions.html"
_TRANSACTION: Final = _DYNAMODB + "APIReference/API_TransactWriteItems.html"
_QUERY: Final = _DYNAMODB + "APIReference/API_Query.html"
_INDEXES: Final = _DYNAMODB + "developerguide/GSI.html"
_TYPES: Final = _DYNAMODB + "developerguide/HowItWorks.NamingRulesDataTypes.html"
_S3: Final = _DOCS + "AmazonS3/latest/"
_SQS: Final = _DOCS + "AWSSimpleQueueService/latest/"
_SSM: Final = _DOCS + "systems-manager/latest/APIReference/"


class Rule(Enum):
    """A rule: its text, and where AWS documents it."""

    MODEL = "a request fits the service's model: members, types, lengths, patterns, enums", _DOCS + "index.html"
    # Values and items of DynamoDB.
    VALUE_TYPE = "a value has exactly one type, and what it holds is of that type", _TYPES
    NUMBER = "a number has at most 38 digits and is between 1E-130 and 9.99E+125", _LIMITS
    EMPTY_SET = "a set is not empty and holds no value twice", _TYPES
    DEPTH = "values are nested at most 32 deep", _LIMITS
    ITEM_SIZE = "an item has at most 400 KB, names included", _LIMITS
    KEY_ATTRIBUTES = "a key has all key attributes of its table, of the right types, and no other", _TYPES
    KEY_EMPTY = "a key attribute of type string or binary is not empty", _LIMITS
    KEY_SIZE = "a partition key has at most 2,048 bytes, a sort key at most 1,024", _LIMITS
    INDEX_KEY = "an attribute that is the key of an index is of the index's type and not empty", _INDEXES
    # Expressions.
    EXPRESSION_EMPTY = "an expression that is given is neither null nor empty", _EXPRESSIONS + "html"
    EXPRESSION_SIZE = "an expression has at most 4 KB, its values together 2 MB, and 300 operators", _LIMITS
    EXPRESSION_SYNTAX = "an expression follows the grammar", _OPERATORS
    PARENTHESES = "an expression has no redundant parentheses", _OPERATORS
    NAME_UNDEFINED = (
        "a name in an expression is in ExpressionAttributeNames",
        _EXPRESSIONS + "ExpressionAttributeNames.html",
    )
    NAME_UNUSED = "every name in ExpressionAttributeNames is used", _EXPRESSIONS + "ExpressionAttributeNames.html"
    VALUE_UNDEFINED = (
        "a value in an expression is in ExpressionAttributeValues",
        _EXPRESSIONS + "ExpressionAttributeValues.html",
    )
    VALUE_UNUSED = (
        "every value in ExpressionAttributeValues is used",
        _EXPRESSIONS + "ExpressionAttributeValues.html",
    )
    PLACEHOLDERS = "placeholders begin with # and :, and a map of them is not empty", _EXPRESSIONS + "html"
    RESERVED = (
        "a reserved word stands in an expression by a placeholder only",
        _DYNAMODB + "developerguide/ReservedWords.html",
    )
    SAME_OPERAND = "the operands of a comparison are not the same", _OPERATORS
    OPERAND_TYPE = "an operand is of a type that its operator or function takes", _OPERATORS
    BETWEEN = "the bounds of BETWEEN are of one type and in order", _OPERATORS
    IN_SIZE = "IN takes at most 100 operands", _OPERATORS
    LEGACY = (
        "expressions and the parameters that they replaced are not mixed",
        _DYNAMODB + "developerguide/LegacyConditionalParameters.html",
    )
    # Updates.
    UPDATE_CLAUSE = "SET, REMOVE, ADD and DELETE each stand at most once in an update", _UPDATE
    UPDATE_OVERLAP = "the paths of an update do not overlap", _UPDATE
    UPDATE_KEY = "an update changes no key attribute", _DYNAMODB + "APIReference/API_UpdateItem.html"
    UPDATE_TOP_LEVEL = "ADD and DELETE change top-level attributes", _UPDATE
    # Several items at once.
    TRANSACTION_ONE_ACTION = "an entry of a transaction is one action", _TRANSACTION
    TRANSACTION_TWICE = "a transaction names an item once", _TRANSACTION
    TRANSACTION_SIZE = "a transaction has at most 4 MB", _TRANSACTION
    BATCH_TWICE = "a batch names an item once", _DYNAMODB + "APIReference/API_BatchWriteItem.html"
    BATCH_WRITE_COUNT = "a batch has at most 25 writes", _DYNAMODB + "APIReference/API_BatchWriteItem.html"
    BATCH_READ_COUNT = "a batch has at most 100 keys", _DYNAMODB + "APIReference/API_BatchGetItem.html"
    BATCH_SIZE = "a batch of writes has at most 16 MB", _DYNAMODB + "APIReference/API_BatchWriteItem.html"
    # Queries.
    KEY_CONDITION = "a query names its partition key by =, and its sort key by one comparison", _QUERY
    FILTER_KEY = "a filter of a query names no key attribute", _QUERY
    INDEX_UNKNOWN = "a queried index is one of its table's", _QUERY
    INDEX_CONSISTENT = "a global index is not read consistently", _INDEXES
    INDEX_PROJECTION = "a query of a global index asks only for attributes that are in it", _INDEXES
    START_KEY = "a start key has the key attributes of table and index, and no other", _QUERY
    PROJECTION_OVERLAP = "the paths of a projection do not overlap", _EXPRESSIONS + "ProjectionExpressions.html"
    RETURN_VALUES = "a put or delete returns nothing or the old item", _DYNAMODB + "APIReference/API_PutItem.html"
    SELECT = "attributes are named only where specific ones are selected", _QUERY
    # Other services.
    HTTP = "a request has the method, path, query and headers of one of the service's operations", _DOCS
    S3_KEY = "an object's key has 1 to 1,024 bytes", _S3 + "userguide/object-keys.html"
    S3_METADATA = "the metadata of an object has at most 2 KB, and is ASCII", _S3 + "userguide/UsingMetadata.html"
    S3_TAGS = (
        "an object has at most 10 tags, keys of 128 and values of 256 characters",
        _S3 + "userguide/object-tagging.html",
    )
    S3_PART = (
        "a part has a number from 1 to 10,000 and, but for the last, at least 5 MiB",
        _S3 + "userguide/qfacts.html",
    )
    S3_COMPLETE = (
        "an upload is completed by at least one part, in ascending order",
        _S3 + "API/API_CompleteMultipartUpload.html",
    )
    S3_PUT_SIZE = "a single PUT has at most 5 GiB", _S3 + "userguide/qfacts.html"
    S3_BUCKET = (
        "a bucket's name has 3 to 63 characters of a-z, 0-9, dot and hyphen",
        _S3 + "userguide/bucketnamingrules.html",
    )
    S3_LINK = "a presigned link lives from 1 second to 7 days", _S3 + "API/sigv4-query-string-auth.html"
    SQS_BODY = (
        "a message has 1 byte to 1 MiB, attributes included, of characters that XML allows",
        _SQS + "APIReference/API_SendMessage.html",
    )
    SQS_ATTRIBUTES = (
        "a message has at most 10 attributes, with names, types and values that are not empty",
        _SQS + "SQSDeveloperGuide/sqs-message-metadata.html",
    )
    SQS_DELAY = "a delay is 0 to 900 seconds", _SQS + "APIReference/API_SendMessage.html"
    SQS_GROUP = (
        "a message group has 1 to 128 printable characters without spaces",
        _SQS + "APIReference/API_SendMessage.html",
    )
    SQS_BATCH = (
        "a batch has 1 to 10 entries with distinct ids of up to 80 letters, digits, - and _",
        _SQS + "APIReference/API_SendMessageBatch.html",
    )
    SQS_RECEIVE = (
        "a receiver takes 1 to 10 messages, waits at most 20 s, hides them at most 12 h",
        _SQS + "APIReference/API_ReceiveMessage.html",
    )
    SQS_QUEUE = "a queue's name and attributes are in their bounds", _SQS + "APIReference/API_CreateQueue.html"
    SSM_NAME = (
        "a parameter's name has at most 15 levels of letters, digits and . - _, and no reserved beginning",
        _SSM + "API_PutParameter.html",
    )
    SSM_VALUE = (
        "a parameter's value is not empty, and has 4 KB (standard) or 8 KB (advanced)",
        _SSM + "API_PutParameter.html",
    )
    SES_ADDRESS = (
        "a mail goes from one address to 1 to 50, each an ASCII local part and a domain",
        _DOCS + "ses/latest/APIReference-V2/API_SendEmail.html",
    )
    SES_CONTENT = "a mail has a subject of one line and a body", _DOCS + "ses/latest/APIReference-V2/API_SendEmail.html"
    PUSH_SIZE = "a message to a websocket has 1 byte to 128 KB", _DOCS + "apigateway/latest/developerguide/limits.html"
    TEMPLATE_SIZE = (
        "a template in a request has at most 51,200 bytes",
        _DOCS + "AWSCloudFormation/latest/UserGuide/cloudformation-limits.html",
    )

    @property
    def says(self) -> str:
        """The text of the rule."""
        return self.value[0]

    @property
    def page(self) -> str:
        """Where it is documented."""
        return self.value[1]


@dataclass(frozen=True)
class Broken:
    """A request that AWS would refuse."""

    rule: Rule
    detail: str
    operation: str = ""
    page: str = ""
    """The operation's page, if the rule is for all operations."""
    where: str = ""
    """The code that sent it."""

    def __str__(self) -> str:
        return (
            f"AWS would refuse this {self.operation}: {self.detail}\n"
            f"  rule {self.rule.name}: {self.rule.says}\n  see {self.page or self.rule.page}\n  sent by {self.where}"
        )


class Found:
    """The broken rules. The process has one instance; tests of the rules create their own."""

    def __init__(self) -> None:
        self._broken: list[Broken] = []
        self._lock = Lock()
        self._allowed = 0

    def add(self, broken: Broken) -> None:
        """Record a request that breaks a rule."""
        with self._lock:
            if not self._allowed:
                self._broken.append(broken)

    def take(self) -> list[Broken]:
        """The records since the last call."""
        with self._lock:
            found, self._broken = self._broken, []
        return found

    @contextmanager
    def allowing(self) -> Iterator[None]:
        """Ignore broken rules, for tests of how the app handles refusals."""
        self._allowed += 1
        try:
            yield
        finally:
            self._allowed -= 1


found = Found()
"""Of this process."""
