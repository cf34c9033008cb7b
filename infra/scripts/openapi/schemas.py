"""Shapes as JSON Schemas (draft 2020-12, which OpenAPI 3.1 uses)."""

from __future__ import annotations

import inspect
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.inspect import (
    AnyType,
    BoolType,
    DateTimeType,
    DictType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    Metadata,
    NoneType,
    RawType,
    StrType,
    StructType,
    TimeDeltaType,
    UnionType,
)

from infra.scripts.openapi import details, prose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Schema = dict[str, Any]

_PLACE = "#/components/schemas/"


class Schemas:
    """Collects the shapes that are used, and names them.

    A shape that is read and answered has two schemas where they differ: an answer always has the members that a request
    may leave out. The request's is then called ``...Input``. A class ``DeviceShape`` becomes ``Device``, or
    ``InventoryDevice`` where several features have one of that name.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[type, bool], Schema] = {}

    def of(self, kind: Any, *, answered: bool) -> Schema:
        """The schema of a type; shapes in it are references that :meth:`components` resolves."""
        return self._schema(msgspec.inspect.type_info(kind), answered=answered)

    def _schema(self, info: msgspec.inspect.Type, *, answered: bool) -> Schema:
        if isinstance(info, Metadata):
            return self._schema(info.type, answered=answered)
        if isinstance(info, StructType):
            return self._reference(info, answered=answered)
        if isinstance(info, UnionType):
            return _either([self._schema(each, answered=answered) for each in info.types])
        if isinstance(info, ListType):
            return _bounded(info, "Items", {"type": "array", "items": self._schema(info.item_type, answered=answered)})
        if isinstance(info, DictType):
            values = self._schema(info.value_type, answered=answered)
            return _bounded(info, "Properties", {"type": "object", "additionalProperties": values or True})
        return _SIMPLE[type(info)](info)

    def _reference(self, info: StructType, *, answered: bool) -> Schema:
        key = (info.cls, answered)
        if key not in self._found:
            self._found[key] = {}  # before its members: one may be of the same shape
            self._found[key].update(self._struct(info, answered=answered))
        return {"$ref": key}

    def _struct(self, info: StructType, *, answered: bool) -> Schema:
        told = prose.of_members(info.cls)
        optional = info.cls.__struct_config__.omit_defaults or not answered
        properties: Schema = {}
        required = []
        for field in info.fields:
            schema = self._schema(field.type, answered=answered)
            if answered and info.cls.__struct_config__.omit_defaults and field.default is None:
                schema = _without_null(schema)  # it is left out instead
            known = details.member(info.cls, field.name, schema, answered=answered)
            if keys := known.pop(details.KEYS, None):
                known["properties"] = dict.fromkeys(keys, schema["additionalProperties"])
            if "properties" in known:
                schema.pop("additionalProperties", None)
            schema |= known
            if field.name in told:
                schema["description"] = told[field.name]
            properties[field.encode_name] = schema
            unset = field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
            if field.required or (answered and not optional and not unset):
                required.append(field.encode_name)
        said: Schema = {"type": "object", "properties": properties}
        if required:
            said["required"] = required
        if text := inspect.getdoc(info.cls):
            said["description"] = prose.markdown(text)
        return said

    def components(self) -> dict[str, Schema]:
        """All shapes by name."""
        names = self.names()
        found = {names[key]: resolved(schema, names) for key, schema in self._found.items()}
        return dict(sorted(found.items()))

    def names(self) -> dict[tuple[type, bool], str]:
        """What each shape is called, as one that is read and as one that is answered."""
        kinds: dict[str, set[type]] = defaultdict(set)
        for shape, _ in self._found:
            kinds[_base(shape)].add(shape)
        found = {}
        for shape, answered in self._found:
            base = _base(shape)
            if len(kinds[base]) > 1:
                base = f"{shape.__module__.split('.')[1].title()}{base}"
            both = (shape, not answered) in self._found
            found[shape, answered] = base if answered or not (both and self._differs(shape)) else f"{base}Input"
        return found

    def _differs(self, shape: type, above: frozenset[type] = frozenset()) -> bool:
        """Whether a shape, or one in it, has other members when it is read than when it is answered."""
        if shape in above:
            return False
        read, told = self._found[shape, False], self._found[shape, True]
        if _plain(read) != _plain(told):
            return True
        return any(self._differs(each, above | {shape}) for each in _shapes_in(told))


def _base(shape: type) -> str:
    return shape.__name__.removesuffix("Shape")


def _shapes_in(schema: Any) -> Iterator[type]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), tuple):
            yield schema["$ref"][0]
        for each in schema.values():
            yield from _shapes_in(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _shapes_in(each)


def _plain(schema: Any) -> Any:
    """A schema without the difference between shapes that are read and those that are answered."""
    if isinstance(schema, dict):
        return {key: value[0] if key == "$ref" else _plain(value) for key, value in schema.items()}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


def resolved(schema: Any, names: dict[tuple[type, bool], str]) -> Any:
    """A schema, or anything that holds schemas, with references to shapes by their names."""
    if isinstance(schema, dict):
        return {
            key: _PLACE + names[value] if key == "$ref" and isinstance(value, tuple) else resolved(value, names)
            for key, value in schema.items()
        }
    return [resolved(each, names) for each in schema] if isinstance(schema, list) else schema


def _either(options: list[Schema]) -> Schema:
    kinds = [each for each in options if each != {"type": "null"}]
    if len(kinds) == 1 and len(options) > 1:
        [only] = kinds
        if isinstance(only.get("type"), str):
            return only | {"type": [only["type"], "null"]}
    return {"anyOf": options}


def _without_null(schema: Schema) -> Schema:
    kinds, options = schema.get("type"), schema.get("anyOf")
    if isinstance(kinds, list):
        return schema | {"type": next(each for each in kinds if each != "null")}
    if options is None:
        return schema
    left = [each for each in options if each != {"type": "null"}]
    return left[0] if len(left) == 1 else schema | {"anyOf": left}


def _bounded(info: Any, of: str, schema: Schema) -> Schema:
    bounds = {f"min{of}": info.min_length, f"max{of}": info.max_length}
    return schema | {name: value for name, value in bounds.items() if value is not None}


def _number(info: IntType | FloatType, kind: str) -> Schema:
    bounds = {"minimum": info.ge, "maximum": info.le, "exclusiveMinimum": info.gt, "exclusiveMaximum": info.lt}
    return {"type": kind} | {name: value for name, value in bounds.items() if value is not None}


def _enum(info: Any) -> Schema:
    values = [each.value for each in info.cls] if isinstance(info, EnumType) else list(info.values)
    return {"type": "string", "enum": values}


_SIMPLE: dict[type, Callable[[Any], Schema]] = {
    AnyType: lambda _: {},
    BoolType: lambda _: {"type": "boolean"},
    DateTimeType: lambda _: {"type": "string", "format": "date-time"},
    EnumType: _enum,
    FloatType: lambda info: _number(info, "number"),
    IntType: lambda info: _number(info, "integer"),
    LiteralType: _enum,
    NoneType: lambda _: {"type": "null"},
    RawType: lambda _: {},
    StrType: lambda info: _bounded(info, "Length", {"type": "string"}),
    TimeDeltaType: lambda _: {"type": "string", "format": "duration", "examples": ["PT1H"]},
}
