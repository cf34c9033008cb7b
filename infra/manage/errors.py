"""Explains errors to the admin: an exit code, and a line that says what to do next."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as NoConnectionError
from pynamodb.exceptions import PynamoDBException, TableDoesNotExist

from chalicelib.aws.client import AwsError
from chalicelib.errors import DomainError, NotFound, Unavailable
from infra.manage.cli import Exit
from infra.migrations import NewerDataError

_CREDENTIALS = "AWS has no credentials of yours: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_SILENT = "the server's storage does not answer. Is the server running (`make run`), is AWS_ENDPOINT_URL right?"
_EMPTY = "this stage has no tables yet: deploy infra/templates/storage.yaml first (on one machine: `make run`)"
_OF_AWS = (AwsError, ClientError, BotoCoreError, PynamoDBException)


def explain(error: BaseException) -> tuple[Exit, str] | None:  # noqa: PLR0911  # one return a kind
    """Exit code and text of an expected error; None for a bug."""
    for cause in _chain(error):
        if isinstance(cause, NoCredentialsError):
            return Exit.UNREACHABLE, _CREDENTIALS
        if isinstance(cause, TableDoesNotExist) or "ResourceNotFoundException" in str(cause):
            return Exit.UNREACHABLE, _EMPTY
    if isinstance(error, NotFound):
        return Exit.NOT_FOUND, f"{error.text}. `tenant list` and `user list` show what there is"
    if isinstance(error, Unavailable):
        return Exit.UNREACHABLE, _SILENT if error.text == "service unavailable" else error.text
    if isinstance(error, NoConnectionError | HTTPClientError):
        return Exit.UNREACHABLE, _SILENT
    if isinstance(error, DomainError | NewerDataError):
        return Exit.REFUSED, str(error)
    if isinstance(error, _OF_AWS):
        return Exit.UNREACHABLE, f"AWS refused: {error}"
    return None


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain
