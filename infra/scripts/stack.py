"""Chalice's template, as CloudFormation takes it and with the names that a deployed stage has."""

from __future__ import annotations

import json
from typing import Any

from infra.deploy.functions import ALIAS, FUNCTIONS, LOGS, STAGES, deployed_name

BUCKET = "LAMPLIGHTER_BUCKET"


def as_deployed(template: dict[str, Any], stage: str) -> dict[str, Any]:
    """The template of a stage with the names, aliases, permissions and bucket that ``make deploy`` gives it."""
    names = {each.name.replace("_", ""): deployed_name(each, stage) for each in FUNCTIONS}
    bucket = _Bucket(stage)
    for logical_id, resource in template["Resources"].items():
        about = resource["Properties"]
        match resource["Type"]:
            case "AWS::Serverless::Function":
                about["FunctionName"] = names[logical_id.lower()]
                about["AutoPublishAlias"] = ALIAS
                about["LoggingConfig"] = dict(LOGS)
                variables = about["Environment"]["Variables"]
                variables[BUCKET] = bucket.named(variables[BUCKET])
            case "AWS::Logs::LogGroup":
                # Made before the function, which would otherwise make one without an end when it first runs.
                about["LogGroupName"] = f"/aws/lambda/{names[logical_id.removesuffix('LogGroup').lower()]}"
            case "AWS::IAM::Role":
                for policy in about["Policies"]:
                    for statement in policy["PolicyDocument"]["Statement"]:
                        statement["Resource"] = [bucket.arn(arn) for arn in statement["Resource"]]
            case "AWS::Lambda::Permission":
                about["FunctionName"] = {"Ref": _alias(about["FunctionName"]["Ref"])}
            case "AWS::ApiGatewayV2::Integration":
                _, parts = about["IntegrationUri"]["Fn::Sub"]
                about["IntegrationUri"] = {"Fn::Sub": _uri(parts["WebsocketHandler"]["Ref"])}
            case "AWS::Serverless::Api":
                about["Name"] = about["DefinitionBody"]["info"]["title"]
                text = json.dumps(about["DefinitionBody"])
                about["DefinitionBody"] = json.loads(text.replace("${APIHandler.Arn}", f"${{{_alias('APIHandler')}}}"))
    return template


def _alias(function: str) -> str:
    """SAM's logical id of the alias that it makes for a function."""
    return f"{function}Alias{ALIAS}"


def _uri(function: str) -> str:
    return (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        f"${{{_alias(function)}}}/invocations"
    )


class _Bucket:
    """The bucket of a stage: the one of its own, or what the storage stack calls it by default."""

    def __init__(self, stage: str) -> None:
        [found] = [each for each in STAGES if each.name == stage]
        self._own = found.own_bucket
        self._configured = found.bucket
        self._default = f"lamplighter-{stage}-${{AWS::AccountId}}-${{AWS::Region}}"

    def named(self, bucket: str) -> str | dict[str, str]:
        return bucket if self._own else {"Fn::Sub": self._default}

    def arn(self, arn: str) -> str | dict[str, str]:
        bucket, slash, keys = arn.removeprefix("arn:aws:s3:::").partition("/")
        if self._own or not arn.startswith("arn:aws:s3:::") or bucket != self._configured:
            return arn
        return {"Fn::Sub": f"arn:aws:s3:::{self._default}{slash}{keys}"}
