"""Files with identities to preregister, as CSV or JSON (``docs/acceptance.md#preregistered-identities``)."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chalicelib import limits
from chalicelib.devauth.rules import identity as identities
from chalicelib.devauth.rules import pubkeys
from chalicelib.devauth.rules.identity import Identity
from chalicelib.devauth.shapes import NewIdentity
from chalicelib.errors import BadRequest, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY: Final = "pubkey"
"""The column with the public key. All others are attributes of identity data."""


class Entry(msgspec.Struct, frozen=True):
    """One identity of a file, or what is wrong with it."""

    line: int
    """The line of a CSV file in which it begins, or its place in a JSON list; from 1."""
    identity: Identity | None = None
    pubkey: str = ""
    """The only key with which it is accepted, as canonical PEM; empty: the first that it has."""
    error: str = ""


def of_csv(raw: bytes) -> list[Entry]:
    """The identities of a CSV file (RFC 4180), whose first line has the names of attributes.

    Raises:
        BadRequest: the file has no usable first line.
        TooLarge: it has too many lines.
    """
    # A gateway may have replaced what is not UTF-8 already, so it is found by the replacement in either case.
    found = _rows(csv.reader(io.StringIO(raw.decode("utf-8-sig", errors="replace"), newline=""), strict=True))
    _, first = next(found, (0, ""))
    names = [name.strip() for name in first] if isinstance(first, list) else []
    if len(names) == 1 and not _SEPARATORS.isdisjoint(names[0]):
        raise BadRequest("the first line has no comma: separate names and values by commas, not by semicolons or tabs")
    if not names or not all(names) or len(set(names)) < len(names) or names == [KEY] or _REPLACED in "".join(names):
        raise BadRequest("the first line must have different names of attributes, in UTF-8, such as: mac,serial")
    entries = []
    for line, row in found:
        entries.append(_of_row(line, names, row))
        _check_number(len(entries))
    return entries


_REPLACED: Final = "\ufffd"
_SEPARATORS: Final = frozenset(";\t")


def _rows(rows: Any) -> Iterator[tuple[int, list[str] | str]]:
    """The rows that are not empty, each with the line in which it begins; for one that can't be read, why."""
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield line, str(error)
            continue
        if row is None:
            return
        if row:
            yield line, row


def _of_row(line: int, names: list[str], row: list[str] | str) -> Entry:
    if isinstance(row, str):
        text = f"the line cannot be read as CSV ({row}); a value that begins with a quotation mark must end with one"
        return Entry(line, error=text)
    if len(row) != len(names):
        return Entry(line, error=f"number of values: {len(row)}, but number of names in the first line: {len(names)}")
    if _REPLACED in "".join(row):
        return Entry(line, error="the line is not in UTF-8")
    values = {name: value.strip() for name, value in zip(names, row, strict=True) if value.strip()}
    pubkey = values.pop(KEY, "")
    return _entry(line, values, pubkey)


def of_json(raw: bytes) -> list[Entry]:
    """The identities of a JSON list of ``{"identity_data": {...}, "pubkey": "..."}``.

    Raises:
        BadRequest: it is not a list.
        TooLarge: it is too long.
    """
    try:
        given = msgspec.json.decode(raw, type=list[Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest('the body must be a JSON list of {"identity_data": {...}}') from error
    _check_number(len(given))
    return [_of_json(number, each) for number, each in enumerate(given, 1)]


def _of_json(number: int, given: Any) -> Entry:
    try:
        entry = msgspec.convert(given, NewIdentity)
    except msgspec.ValidationError as error:
        return Entry(number, error=str(error))
    return _entry(number, entry.identity_data or {}, entry.pubkey or "")


def _entry(line: int, data: dict[str, Any], pubkey: str) -> Entry:
    if not data:
        return Entry(line, error="the identity has no attributes")
    try:
        identity = identities.normalise(msgspec.json.encode(data).decode())
        return Entry(line, identity, pubkeys.canonical(pubkeys.parse(_pem(pubkey))) if pubkey else "")
    except BadRequest as error:
        return Entry(line, error=error.text)


def _pem(pubkey: str) -> str:
    """A key as PEM. In a CSV file it may also be base64 of its DER form, which is one line."""
    if pubkey.startswith("-----"):
        return pubkey
    try:
        der = base64.b64decode(pubkey, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("cannot decode public key: give it in PEM, or as base64 of its DER form") from error
    return f"-----BEGIN PUBLIC KEY-----\n{base64.encodebytes(der).decode()}-----END PUBLIC KEY-----\n"


def _check_number(number: int) -> None:
    most = limits.IDENTITIES_AT_ONCE
    if number > most:
        raise TooLarge(f"the file has more than {most} identities, the most for one call; divide it")
