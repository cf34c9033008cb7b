"""Reads CloudFormation templates, as far as creating storage on one machine requires.

Supports parameters (by their defaults), conditions, and ``Ref``, ``Fn::Sub``, ``Fn::GetAtt``, ``Fn::If``,
``Fn::Join``, in short or long form. Anything else is refused with its name, but only when it is
read: resources of other types may use any function.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

ACCOUNT = "000000000000"
"""The account id of the embedded engine."""

NO_VALUE = object()
"""The value of ``AWS::NoValue``; it is removed from the mapping or list that holds it."""


class TemplateError(Exception):
    """The template uses something that is not supported here."""


def read(path: Path) -> dict[str, Any]:
    """Read a template file; its functions are in their long form."""
    return parse(path.read_text())


def parse(text: str) -> dict[str, Any]:
    """Parse a template in YAML or JSON; its functions are in their long form."""
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
    return document


class Template:
    """A template with values for its parameters; properties are resolved to plain values."""

    def __init__(self, path: Path, parameters: Mapping[str, str], region: str) -> None:
        document = read(path)
        declared = document.get("Parameters", {})
        self._resources: dict[str, Any] = document.get("Resources", {})
        self._conditions: dict[str, Any] = document.get("Conditions", {})
        self._values: dict[str, Any] = {
            name: about["Default"] for name, about in declared.items() if "Default" in about
        }
        self._values |= {name: value for name, value in parameters.items() if name in declared}
        self._values |= {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": region,
        }
        self._region = region

    def resources(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and resolved properties of the resources of one type whose condition holds.

        Raises:
            TemplateError: a property uses a function or a name that is not known.
        """
        for logical_id, resource in self._resources.items():
            wanted = resource["Type"] == kind
            if wanted and ("Condition" not in resource or self._holds(resource["Condition"])):
                yield logical_id, self._resolve(resource.get("Properties", {}))

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name in self._FUNCTIONS:
                return self._FUNCTIONS[name](self, argument)
            if name.startswith("Fn::"):
                raise TemplateError(f"{name} is not known here")
        resolved = {name: self._resolve(item) for name, item in value.items()}
        return {name: item for name, item in resolved.items() if item is not NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        return self._name_of(name)

    def _sub(self, argument: str | list[Any]) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in names:
                return str(self._resolve(names[name]))
            if "." in name:
                return self._get_att(name)
            return str(self._ref(name))

        return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", fill, text)

    def _get_att(self, argument: str | list[str]) -> str:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        kind = self._resources.get(logical_id, {}).get("Type")
        if (kind, attribute) != ("AWS::SQS::Queue", "Arn"):
            raise TemplateError(f"GetAtt {logical_id}.{attribute} is not known here")
        return f"arn:aws:sqs:{self._region}:{ACCOUNT}:{self._name_of(logical_id)}"

    def _name_of(self, logical_id: str) -> str:
        properties = self._resources.get(logical_id, {}).get("Properties", {})
        for field in ("TableName", "QueueName", "BucketName"):
            if field in properties:
                return str(self._resolve(properties[field]))
        raise TemplateError(f"{logical_id} is neither a parameter nor a resource with a name")

    def _if(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        return self._resolve(then if self._holds(condition) else otherwise)

    def _join(self, argument: list[Any]) -> str:
        separator, parts = argument
        return str(separator).join(map(str, self._resolve(parts)))

    def _holds(self, condition: str | dict[str, Any]) -> bool:
        """Whether a condition, given by name or in full, is true."""
        if isinstance(condition, str):
            return self._holds(self._conditions[condition])
        [(name, arguments)] = condition.items()
        match name:
            case "Condition":
                return self._holds(arguments)
            case "Fn::Equals":
                left, right = map(self._resolve, arguments)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._holds(arguments[0])
            case "Fn::And":
                return all(map(self._holds, arguments))
            case "Fn::Or":
                return any(map(self._holds, arguments))
        raise TemplateError(f"{name} is no condition that is known here")

    _FUNCTIONS: dict[str, Callable[[Template, Any], Any]] = {  # noqa: RUF012  # never changed
        "Ref": _ref,
        "Fn::GetAtt": _get_att,
        "Fn::If": _if,
        "Fn::Join": _join,
        "Fn::Sub": _sub,
    }


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: ``!Sub x`` reads as ``{"Fn::Sub": x}``."""


def _short_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    argument: Any
    match node:
        case yaml.ScalarNode():
            argument = loader.construct_scalar(node)
        case yaml.SequenceNode():
            argument = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            argument = loader.construct_mapping(node, deep=True)
        case _:
            raise TemplateError(f"!{name} holds a {node.tag}")
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": argument}


_Loader.add_multi_constructor("!", _short_form)
