"""The output of the dependency audit, and when it fails."""

import json

from infra.scripts.audit import outcome

CLEAN = {"name": "pyjwt", "version": "2.15.1", "vulns": []}
BAD = {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"], "aliases": []}]}
BAD_FOR_NOW = {"name": "y", "version": "1", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]}


def test_without_vulnerabilities_it_passes():
    assert outcome(json.dumps({"dependencies": [CLEAN]}), "") == (0, "1 distributions without known vulnerabilities")


def test_distributions_that_the_database_does_not_know_are_listed():
    unheard_of = {"name": "z", "skip_reason": "not found"}

    assert outcome(json.dumps({"dependencies": [CLEAN, unheard_of]}), "")[1].endswith("not checked: z")
    assert outcome(json.dumps({"dependencies": [unheard_of]}), "")[1].startswith("audit SKIPPED")


def test_vulnerabilities_fail_and_are_listed_with_fixed_versions():
    assert outcome(json.dumps({"dependencies": [CLEAN, BAD, BAD_FOR_NOW]}), "Found 2 known vulnerabilities") == (
        1,
        "x 1: PYSEC-1, fixed in 2\ny 1: PYSEC-2, fixed in nothing yet",
    )


def test_an_unreachable_database_is_reported_and_does_not_fail():
    status, words = outcome("", "Traceback ...\nConnectionError: no route\n")

    assert status == 0
    assert words.startswith("audit SKIPPED")
    assert "no route" in words
