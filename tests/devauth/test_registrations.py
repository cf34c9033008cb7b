"""Preregistered identities: files, results for each line, lists, and what they let in."""

from __future__ import annotations

import base64
import csv
import io
import json
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.devauth.rules import registrations
from chalicelib.errors import BadRequest
from chalicelib.events import decommissioning
from tests.devauth.acceptance import AUDIT, IDENTITIES, PREVIEW, RULES, create, pattern, rule, upload
from tests.devauth.fleet import accept, device_path, find
from tests.devauth.test_races import concurrently
from tests.simulator.device import Device, new_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.tenantadm.service import Tenant

CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def new(http: httpx2.Client, tenant: Tenant) -> Callable[..., Device]:
    """Create a device with a serial number."""
    return lambda serial: Device(http, tenant.tenant_token, identity={"serial": serial})


def shown(api: httpx2.Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(IDENTITIES, params=query).json()
    return found


def total(api: httpx2.Client) -> int:
    return int(api.get(IDENTITIES, params={"per_page": 1}).headers["X-Total-Count"])


class TestFiles:
    def test_each_line_has_a_result(self, api):
        result = upload(api, "serial,sku", "1,a", "2", "", '"3",b', "1,a", ",", "4,")

        assert (result["stored"], result["exists"], result["invalid"]) == (3, 1, 2)
        assert result["results"] == [
            {"line": 2, "status": "stored"},
            {
                "line": 3,
                "status": "invalid",
                "error": "number of values: 1, but number of names in the first line: 2",
            },
            {"line": 5, "status": "stored"},
            {"line": 6, "status": "exists"},
            {"line": 7, "status": "invalid", "error": "the identity has no attributes"},
            {"line": 8, "status": "stored"},
        ]
        known = [each["identity_data"] for each in shown(api)]
        assert sorted(known, key=str) == [
            {"serial": "1", "sku": "a"},
            {"serial": "3", "sku": "b"},
            {"serial": "4"},
        ]

    def test_a_file_can_be_sent_again(self, api):
        lines = ["serial", *map(str, range(200))]
        assert upload(api, *lines)["stored"] == 200
        again = upload(api, *lines, "new")
        assert (again["stored"], again["exists"], again["invalid"]) == (1, 200, 0)
        assert total(api) == 201

    def test_json(self, api, new):
        document = [
            {"identity_data": {"serial": "1"}},
            {"identity_data": {"serial": "2"}, "pubkey": new("2").pubkey},
            {"identity_data": "x"},
            {"identity_data": {"serial": "3"}, "pubkey": "x"},
            7,
        ]
        result = api.post(IDENTITIES, json=document).json()
        assert [each["status"] for each in result["results"]] == ["stored", "stored", "invalid", "invalid", "invalid"]
        assert [each["line"] for each in result["results"]] == [1, 2, 3, 4, 5]
        assert result["results"][3]["error"] == "cannot decode public key: give it in PEM, or as base64 of its DER form"

    def test_a_key_may_span_lines_or_be_base64(self, api, new):
        pem = new("1").pubkey.strip()
        der = base64.b64encode(base64.b64decode("".join(pem.splitlines()[1:-1]))).decode()
        result = upload(api, "serial,pubkey", f'1,"{pem}"', f"2,{der}", "3")
        assert [each["line"] for each in result["results"]] == [2, 5, 6]
        assert [each["status"] for each in result["results"]] == ["stored", "stored", "invalid"]
        assert [each["pubkey"].strip() for each in shown(api)] == [pem, pem]

    @pytest.mark.parametrize("raw", [b"", b"\xff\n1", b"serial,serial\n1,2", b"serial,\n1,2", b"pubkey\nx", b"\n"])
    def test_unusable_files_are_refused(self, api, raw):
        assert api.post(IDENTITIES, content=raw, headers=CSV).status_code == 400
        assert api.get(RULES).json() == []

    @pytest.mark.parametrize("raw", [b"", b"{}", b"[", b"7"])
    def test_unusable_documents_are_refused(self, api, raw):
        assert api.post(IDENTITIES, content=raw, headers={"Content-Type": "application/json"}).status_code == 400

    def test_other_types_are_refused(self, api):
        assert api.post(IDENTITIES, content=b"a", headers={"Content-Type": "text/plain"}).status_code == 415

    def test_a_file_that_is_too_long_is_refused_whole(self, api, monkeypatch):
        monkeypatch.setattr(limits, "IDENTITIES_AT_ONCE", 3)
        for answer in (
            api.post(IDENTITIES, content="serial\n1\n2\n3\n4", headers=CSV),
            api.post(IDENTITIES, json=[{"identity_data": {"serial": str(each)}} for each in range(4)]),
        ):
            assert answer.status_code == 413
            assert "more than 3 identities" in answer.json()["error"]
        assert total(api) == 0

    def test_the_number_of_identities_is_limited(self, api, monkeypatch):
        monkeypatch.setattr(limits, "IDENTITIES", 3)
        upload(api, "serial", "1", "2")
        answer = api.post(IDENTITIES, content="serial\n3\n4", headers=CSV)
        assert answer.status_code == 422

    def test_lines_that_are_not_in_utf_8_are_reported(self, api):
        result = api.post(IDENTITIES, content=b"serial\n\xe9\n2", headers=CSV).json()
        assert [each["status"] for each in result["results"]] == ["invalid", "stored"]

    @pytest.mark.parametrize("line", ['"1,', '"1"x', '"1', '1\n"2'])
    def test_no_line_is_lost_in_a_value_whose_quotation_marks_are_not_closed(self, api, line):
        result = upload(api, "serial", line, "3", "4")
        *_, last = [each for each in result["results"] if each["status"] == "invalid"]
        assert "must end with" in last["error"]
        assert all("\n" not in each["identity_data"]["serial"] for each in shown(api))

    @pytest.mark.parametrize("first", ["mac;serial", "mac\tserial"])
    def test_other_separators_are_refused(self, api, first):
        answer = api.post(IDENTITIES, content=f"{first}\n1;2", headers=CSV)
        assert answer.status_code == 400
        assert "separate names and values by commas" in answer.json()["error"]

    @given(
        rows=st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), min_size=1, max_size=3)),
        names=st.lists(st.text("abc", min_size=1), min_size=1, max_size=3, unique=True),
    )
    def test_any_csv_file_is_read_line_by_line(self, rows, names):
        out = io.StringIO(newline="")
        csv.writer(out).writerows([names, *rows])
        entries = registrations.of_csv(out.getvalue().encode())

        filled = [row for row in rows if row]
        assert len(entries) == len(filled)
        assert [each.line for each in entries] == sorted({each.line for each in entries})
        for entry, row in zip(entries, filled, strict=True):
            if len(row) != len(names):
                assert entry.error
            elif entry.identity is not None:
                values = {name: value.strip() for name, value in zip(names, row, strict=True) if value.strip()}
                assert entry.identity.members == values

    @given(st.binary())
    def test_no_file_causes_an_unexpected_error(self, raw):
        for read in (registrations.of_csv, registrations.of_json):
            with suppress(BadRequest):
                read(raw)


class TestAccepting:
    def test_an_expected_device_gets_its_token_with_the_first_key(self, api, new):
        upload(api, "serial", "1")
        device, copied = new("1"), new("1")
        assert (device.auth().status_code, copied.auth().status_code) == (200, 401)
        assert device.auth().status_code == 200
        (known,) = shown(api)
        assert known["device"] == {"id": device.id, "status": "accepted"}

    def test_it_is_accepted_by_a_rule_of_its_own(self, api, new):
        upload(api, "serial", "1", "2")
        (made,) = api.get(RULES).json()
        assert (made["name"], made["type"], made["enabled"]) == ("Preregistered identities", "identities", True)
        new("1").auth()
        assert rule(api, made["id"])["accepted_today"] == 1
        api.put(f"{RULES}/{made['id']}", json={"name": "x", "type": "identities", "enabled": False})
        upload(api, "serial", "3")
        assert len(api.get(RULES).json()) == 1, "a rule that was disabled stays so"
        assert new("2").auth().status_code == 401

    def test_only_the_registered_key_is_accepted(self, api, new):
        device, copied = new("1"), new("1")
        upload(api, "serial,pubkey", f'1,"{device.pubkey}"')
        assert copied.auth().status_code == 401
        assert device.auth().status_code == 200, "its key is proved to be its own"
        assert [each["status"] for each in find(api, device)["auth_sets"]] == ["pending", "accepted"]

    def test_another_key_for_the_same_identity_is_refused(self, api, new):
        upload(api, "serial", "1")
        result = upload(api, "serial,pubkey", f'1,"{new("1").pubkey}"')
        assert result["invalid"] == 1

    def test_a_pending_device_is_accepted_at_its_next_request(self, api, new):
        device = new("1")
        device.auth()
        assert api.post(PREVIEW, json={"name": "x", "type": "identities"}).json()["total"] == 0
        upload(api, "serial", "1")
        assert api.post(PREVIEW, json={"name": "x", "type": "identities"}).json()["total"] == 1
        assert device.auth().status_code == 200

    def test_it_is_expected_even_if_too_many_devices_are_pending(self, api, new):
        api.put("/api/management/v2/tenantadm/settings", json={"pending_devices": 1})
        new("stranger").auth()
        upload(api, "serial", "1")
        assert new("other").auth().status_code == 401
        assert new("1").auth().status_code == 200

    def test_decommissioning_ends_the_registration(self, api, new, tenant):
        create(api, pattern(pattern={"serial": "*"}))
        upload(api, "serial", "1")
        device = new("1")
        device.auth()
        api.delete(device_path(device.id))
        decommissioning.clear_out(tenant.id, device.id)

        assert total(api) == 0
        device.key = new_key()
        assert device.auth().status_code == 401
        assert upload(api, "serial", "1")["stored"] == 1
        assert device.auth().status_code == 200, "it was registered again"

    def test_a_removed_identity_is_not_accepted(self, api, new):
        upload(api, "serial", "1")
        (known,) = shown(api)
        assert api.delete(f"{IDENTITIES}/{known['id']}").status_code == 204
        assert api.delete(f"{IDENTITIES}/{known['id']}").status_code == 404
        assert new("1").auth().status_code == 401

    def test_a_rule_for_identities_may_have_patterns(self, api, new):
        create(api, {"name": "x", "type": "identities", "pattern": {"serial": "a*"}})
        upload(api, "serial", "a", "b")
        assert (new("a").auth().status_code, new("b").auth().status_code) == (200, 401)


class TestLists:
    def test_pages(self, api, monkeypatch):
        upload(api, "serial", *map(str, range(50)))
        everything = shown(api, per_page=500)
        assert len(everything) == 50
        assert [each["id"] for each in everything] == sorted(each["id"] for each in everything)
        assert shown(api, per_page=20, page=3) == everything[40:]
        answer = api.get(IDENTITIES, params={"per_page": 20})
        pages = [answer.json()]
        while "next" in answer.links:
            answer = api.get(answer.links["next"]["url"])
            pages.append(answer.json())
        assert [len(page) for page in pages] == [20, 20, 10]
        assert list(chain.from_iterable(pages)) == everything
        assert api.get(answer.links["prev"]["url"]).json() == pages[1]
        assert answer.headers["X-Total-Count"] == "50"

    def test_all_are_deleted_in_several_calls(self, api, monkeypatch):
        upload(api, "serial", *map(str, range(200)))
        monkeypatch.setattr(limits, "IDENTITIES_AT_ONCE", 100)
        assert [api.delete(IDENTITIES).json() for _ in range(3)] == [{"left": 100}, {"left": 0}, {"left": 0}]
        assert shown(api) == []

    def test_the_count_is_exact_after_uploads_at_the_same_moment(self, api, server):
        def send(lines: range) -> Callable[[], int]:
            def call() -> int:
                with httpx2.Client(base_url=server.url, headers=api.headers, timeout=60) as client:
                    content = "\n".join(["serial", *map(str, lines)])
                    return client.post(IDENTITIES, content=content, headers=CSV).status_code

            return call

        answers = concurrently([send(range(first, first + 60)) for first in range(0, 80, 10)])
        assert answers == [200] * 8
        assert total(api) == len(shown(api, per_page=500)) == 130
        assert len(api.get(RULES).json()) == 1

    def test_audit_entries_list_the_identities(self, api):
        upload(api, "serial", "1", "2")
        api.delete(IDENTITIES)
        entries = [each for each in api.get(AUDIT).json() if each["object"]["id"] == "acceptance/identities"]
        assert [each["action"] for each in entries] == ["delete", "create"]
        for entry in entries:
            first, *rest = entry["change"].splitlines()
            assert first == "2 preregistered identities"
            assert sorted(map(json.loads, rest), key=str) == [{"serial": "1"}, {"serial": "2"}]

    def test_preauthorized_devices_are_not_among_them(self, api, device):
        accept(api, device)
        assert total(api) == 0
