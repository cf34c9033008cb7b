"""All stored data of a tenant, to see what a call changed."""

from __future__ import annotations

from typing import Any

import boto3

from chalicelib import settings
from chalicelib.storage.keys import TenantId, partition
from infra.deploy.functions import TABLES
from infra.manage import contents

State = dict[tuple[str, str, str], Any]


def state(tenant: str) -> State:
    """A tenant's own items and objects."""
    scan = boto3.client("dynamodb").get_paginator("scan").paginate
    # Read only these from the engine, whatever other tests stored.
    own = {
        "FilterExpression": "begins_with(pk, :own)",
        "ExpressionAttributeValues": {":own": {"S": partition(TenantId(tenant))}},
        "ConsistentRead": True,
    }
    rows: State = {
        (table, item["pk"]["S"], item["sk"]["S"]): item
        for table in TABLES
        for page in scan(TableName=settings.current().table_prefix + table, **own)
        for item in page["Items"]
    }
    return rows | {("bucket", each["Key"], ""): each["VersionId"] for each in contents.objects(tenant)}


def changed(before: State, after: State) -> list[str]:
    """The differences, as readable text."""
    keys = [key for key in before | after if before.get(key) != after.get(key)]
    return [f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys]
