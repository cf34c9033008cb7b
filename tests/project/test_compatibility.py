"""The compatibility page: every missing operation has a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.scripts.compatibility import DIFFERENCES, LITERALS, answered, page, published, reasons

if TYPE_CHECKING:
    import httpx2


def test_operations_that_are_not_served_have_a_reason():
    unserved = {operation for operation in published() if operation not in answered()}

    assert {f"{each.method} {each.path}" for each in unserved - reasons().keys()} == set()
    assert all(reason.strip() for reason in reasons().values())


def test_reasons_are_for_existing_operations_that_are_not_served():
    stale = reasons().keys() - (published().keys() - answered())

    assert {f"{each.method} {each.path}" for each in stale} == set()


def test_the_page_shows_them():
    text = page(published(), answered(), reasons())

    unserved = published().keys() - answered()
    assert unserved
    for each in unserved:
        assert f"| `{each.method} {each.path}` | no | {reasons()[each]} |" in text
    assert DIFFERENCES.read_text() in text


def test_every_difference_has_all_four_columns():
    rows = [line for line in DIFFERENCES.read_text().splitlines() if line.startswith("| ")]

    assert len(rows) > 20
    for row in rows:
        where, server, documents, here = (cell.strip() for cell in row.strip("|").split("|"))
        assert all((where, server, documents, here)), row


def test_literals_are_answered(api: httpx2.Client):
    for each in LITERALS:
        assert api.request(each.method, f"/api{each.path}").status_code == 200, each
