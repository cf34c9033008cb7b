"""``manage signing-key ...`` and ``manage reset``: the server as a whole."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from infra.manage.cli import Result, command, manage
from infra.manage.connect import LOCAL, Place

if TYPE_CHECKING:
    from infra.local.first_run import FirstTenant

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@manage.group("signing-key")
def signing_key() -> None:
    """The keys that sign the tokens of users and devices."""


@command(signing_key, "rotate")
@click.option(
    "--withdraw-old",
    is_flag=True,
    help="For a leaked key: invalidate all tokens signed with older keys. Users must log in again; devices need not.",
)
def rotate(*, withdraw_old: bool) -> Result:
    """Create a new signing key, sign with it from now on, and print its name.

    Tokens of the previous key stay valid until they expire. Running processes notice within five minutes
    (LAMPLIGHTER_KEY_CACHE).
    """
    from chalicelib.aws import signing_keys

    name = signing_keys.rotate(withdraw_old=withdraw_old)
    return Result(name, {"kid": name})


@command(signing_key, "ensure")
def ensure() -> Result:
    """Create the first keys of a new server, if there are none, and print the name of the active one."""
    from chalicelib.aws import signing_keys

    name = signing_keys.ensure_signing_key()
    return Result(name, {"kid": name})


@command(manage, "reset", any_data=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def reset(*, yes: bool) -> Result:
    """Delete everything on the local server: tables, files, messages.

    Signing keys and the TLS certificate are kept, so that devices and tools still trust the server. The first tenant
    and its admin are created again at once, with a new tenant token and the same password.
    """
    place: Place = click.get_current_context().obj
    _require_local(place)
    if not yes:
        click.confirm("Delete every tenant, device, artifact and deployment of this server?", abort=True, err=True)
    _wipe()
    first = _first_tenant_again(place)
    return Result(first.tenant_id, {"tenant": first.tenant_id, "user": first.user})


def _require_local(place: Place) -> None:
    """Refuse everything but an engine on this machine.

    Raises:
        UsageError: this may be somebody's real data.
    """
    host = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname
    if place.stage != LOCAL or os.environ.get("LAMPLIGHTER_STAGE") != LOCAL or host not in _LOOPBACK:
        raise click.UsageError("only a local server can be reset")


def _wipe() -> None:
    import boto3

    from infra import migrations
    from infra.local.provision import provision

    # Creating what exists already is harmless, and tells all names.
    names = provision()
    dynamodb, s3, sqs = (boto3.client(service) for service in ("dynamodb", "s3", "sqs"))
    for table in names.tables:
        dynamodb.delete_table(TableName=table)
        dynamodb.get_waiter("table_not_exists").wait(TableName=table)
    for bucket in names.buckets:
        _empty(s3, bucket)
    for queue in names.queues:
        sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"])
    provision()
    migrations.store().version()


def _empty(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        gone = [
            {"Key": version["Key"], "VersionId": version["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for version in page.get(kind, [])
        ]
        if gone:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": gone, "Quiet": True})
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def _first_tenant_again(place: Place) -> FirstTenant:
    from infra.local import private
    from infra.local.first_run import ensure_first_tenant

    private.folder(place.data)
    first, _ = ensure_first_tenant(place.first_tenant_file)
    if place.server_file.exists():
        noted = json.loads(place.server_file.read_text())
        private.write(place.server_file, noted | asdict(first))
    return first
