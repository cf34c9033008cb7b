"""The account and region of a deployment, determined once before anything is changed.

Chalice, boto3 and ``manage`` look for the region in different places (``AWS_REGION``, ``AWS_DEFAULT_REGION``, a
profile). This module sets both variables, so that all of them use the same region.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from infra.deploy.record import Installation

NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")
HOME = "region"
"""The tag of a stage's roles with the region of the stage, since roles belong to no region."""


class DestinationError(Exception):
    """There is no region or more than one, or the stage is in another; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Destination:
    """An account in a region."""

    account: str
    region: str


def region(environment: MutableMapping[str, str] | None = None) -> str:
    """The region of this environment or its profile; both variables hold it afterwards.

    Raises:
        DestinationError: there is none, or the variables name two.
    """
    environment = os.environ if environment is None else environment
    named = {environment[name] for name in NAMES if environment.get(name)}
    if len(named) > 1:
        raise DestinationError(
            f"AWS_REGION and AWS_DEFAULT_REGION name two regions ({', '.join(sorted(named))}): unset one"
        )
    found = named.pop() if named else boto3.session.Session().region_name
    if not found:
        raise DestinationError("no region is set: set AWS_DEFAULT_REGION, or run `aws configure set region eu-west-1`")
    for name in NAMES:
        environment[name] = found
    return found


def here() -> Destination:
    """Account and region of this environment.

    Raises:
        DestinationError: as :func:`region`.
        botocore.exceptions.BotoCoreError: there are no credentials.
        botocore.exceptions.ClientError: they are refused.
    """
    found = region()
    sts = boto3.client("sts")
    account = sts.get_caller_identity()["Account"]
    sts.close()
    return Destination(account, found)


def refuse_elsewhere(stage: str, region: str) -> None:
    """Refuse a stage whose roles say that it is in another region.

    Raises:
        DestinationError: it is. Roles are shared by all regions, so the policies of one would replace the other's.
    """
    iam = boto3.client("iam")
    try:
        tags = iam.get_role(RoleName=f"lamplighter-{stage}-api_handler")["Role"].get("Tags", [])
    except iam.exceptions.NoSuchEntityException:
        return
    finally:
        iam.close()
    home = {tag["Key"]: tag["Value"] for tag in tags}.get(HOME, region)
    if home != region:
        raise DestinationError(
            f"stage {stage} is deployed in {home}, but the region is set to {region}. Set AWS_DEFAULT_REGION={home}, "
            "or add a stage with another name to infra/deploy/functions.py: a stage is in one region"
        )


def refuse_foreign(stage: str, installation: Installation, here: Destination) -> None:
    """Refuse a stage whose record, or this folder's copy of it, names another account or region.

    Raises:
        DestinationError: it is.
    """
    arns = [str(each["lambda_arn"]).split(":") for each in installation.of("lambda_function") if "lambda_arn" in each]
    for region, account in {(arn[3], arn[4]) for arn in arns}:
        if (region, account) != (here.region, here.account):
            raise DestinationError(
                f"stage {stage} was deployed to {region} in account {account}, and the credentials and region that are "
                f"set are of {here.region} in account {here.account}"
            )
