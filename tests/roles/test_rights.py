"""The rules of rights: how grants combine, which a user may give to others, which calls they cover."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from chalicelib.errors import BadRequest
from chalicelib.rights import BY_GROUP, BY_TAG, EVERYTHING, NOTHING, Call, Calls, Grant, Permission, Rights, Scope
from chalicelib.roles import rules
from chalicelib.roles.shapes import Permission as Stated
from chalicelib.roles.shapes import Role, Target

NAMES = st.none() | st.frozensets(st.sampled_from("abc"), max_size=3)
CALLS = st.sampled_from([Calls("GET", "/a"), Calls("any", "/a.*"), Calls("any", ".*")])
GRANTS = st.builds(
    Grant,
    st.frozensets(st.sampled_from(list(Permission)), max_size=4),
    st.lists(CALLS, max_size=2).map(tuple),
    st.builds(Scope, NAMES, NAMES),
)
RIGHTS = st.builds(Rights, st.lists(GRANTS, max_size=4).map(tuple))
SPOTS = [(group, tag) for group in "abcd" for tag in "abcd"]
"""Devices and releases, by their group and tag."""


ASKED: list[Call | None] = [None, ("GET", "/a"), ("PUT", "/ab")]


def places(rights: Rights, permission: Permission, call: Call | None) -> set[tuple[str, str]]:
    """Where a right holds."""
    return {
        (group, tag)
        for scope in rights.scopes(permission, call)
        for group, tag in SPOTS
        if (scope.groups is None or group in scope.groups) and (scope.release_tags is None or tag in scope.release_tags)
    }


@given(RIGHTS, RIGHTS)
def test_rights_add_up(one: Rights, other: Rights):
    both = Rights(one.grants + other.grants)

    for permission in Permission:
        for call in ASKED:
            assert places(both, permission, call) == places(one, permission, call) | places(other, permission, call)


@given(RIGHTS, RIGHTS)
def test_covered_rights_apply_nowhere_that_the_covering_rights_do_not(one: Rights, other: Rights):
    if one.covers(other):
        for permission in Permission:
            for call in ASKED:
                assert places(other, permission, call) <= places(one, permission, call)


@given(RIGHTS)
def test_the_right_to_call_an_endpoint_gives_no_permission(rights: Rights):
    named = Rights(tuple(structs.replace(grant, calls=()) for grant in rights.grants))

    assert {p: rights.scopes(p) for p in Permission} == {p: named.scopes(p) for p in Permission}
    assert rights.has_everything is named.has_everything


@given(RIGHTS)
def test_rights_cover_themselves_and_an_administrators_cover_all(rights: Rights):
    assert rights.covers(rights)
    assert rights.covers(NOTHING)
    assert EVERYTHING.covers(rights)


@given(GRANTS)
def test_a_scoped_grant_gives_only_permissions_that_can_have_that_scope(grant: Grant):
    for permission in Permission:
        if Rights((grant,)).scopes(permission, ("GET", "/a")):
            assert grant.scope.groups is None or permission in BY_GROUP
            assert grant.scope.release_tags is None or permission in BY_TAG


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("/api/a", "/api/a", True),
        ("/api/a", "/api/ab", False),
        ("/api/a", "/api", False),
        (".*", "/anything/at/all", True),
        ("/api/.*", "/api/a/b", True),
        ("/api/.*", "/other/api/a", False),
        ("/api/.*/b", "/api/a/b", True),
        ("/api/.*/b", "/api/b", False),
        ("/a.*a", "/a", False),
        ("/a.*b.*c", "/a-b-c", True),
        ("/a.*b.*c", "/a-c-b", False),
        ("/a.*b.*b", "/ab", False),
        ("/a.c", "/abc", False),
    ],
)
def test_paths_of_calls(pattern: str, path: str, meant: bool):
    assert Calls("any", pattern).match("GET", path) is meant


def test_methods_of_calls():
    assert not Calls("GET", ".*").match("PUT", "/")
    assert Calls("PUT", ".*").match("PUT", "/")


PIECES = ["/api/", "/ap", "i/", "x", "/", "any", "^", "$", ".*"]
TAILS = ["".join(each) for size in range(4) for each in product(["/api/", "/ap", "i/", "x", "/", "any"], repeat=size)]


@given(st.lists(st.sampled_from(PIECES), max_size=4).map("".join))
def test_a_path_is_taken_if_a_path_of_the_api_can_match_it(value: str):
    permission = Stated("http", Target("GET", value))
    try:
        rules.check_role(Role("R", "", [permission], []), {})
    except BadRequest:
        taken = False
    else:
        taken = True
    granted = rules.grants_of(Role("R", "", [permission], []), {})

    meant = [tail for tail in TAILS if any(grant.gives(Permission.BASIC, ("GET", f"/api/{tail}")) for grant in granted)]

    assert taken is bool(meant), meant[:1]
