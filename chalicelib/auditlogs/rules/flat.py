"""The CSV export: one column for each member, named by its path."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from chalicelib.text import cell

COLUMNS: Final = (
    ("actor", "id"),
    ("actor", "type"),
    ("actor", "email"),
    ("time",),
    ("action",),
    ("object", "id"),
    ("object", "type"),
    ("object", "user", "email"),
    ("object", "deployment", "name"),
    ("object", "deployment", "artifact_name"),
    ("object", "device", "identity_data"),
    ("object", "artifact", "name"),
    ("change",),
)
"""The columns of every export, in this order. Others follow if an entry has such a member."""

Path = tuple[str, ...]


def export(rows: Iterable[Mapping[str, Any]], separator: str, ignored: Collection[str], size: int) -> tuple[str, bool]:
    """A CSV file of entries as the API shows them, and whether all fit; otherwise it contains the first ones.

    Args:
        rows: the entries.
        separator: what joins the parts of a column's name.
        ignored: columns that are left out, by name.
        size: bytes that the file may have.
    """
    flat: list[dict[Path, str]] = []
    others: set[Path] = set()
    left, complete = size, True
    for row in rows:
        cells = dict(_flattened(row, ()))
        # Quoting may double the size of a cell; an empty cell costs its comma.
        left -= sum(len(cell.encode()) + cell.count('"') + 3 for cell in cells.values()) + len(COLUMNS)
        if left < 0:
            complete = False
            break
        flat.append(cells)
        others |= cells.keys() - COLUMNS
    columns = [(separator.join(path), path) for path in (*COLUMNS, *sorted(others))]
    shown = [(name, path) for name, path in columns if name not in ignored]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([name for name, _ in shown])
    writer.writerows([cells.get(path, "") for _, path in shown] for cells in flat)
    return out.getvalue(), complete


def _flattened(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _flattened(member, (*path, name))
    elif isinstance(value, list):
        yield path, cell(", ".join(map(str, value)))
    else:
        yield path, cell(str(value))
