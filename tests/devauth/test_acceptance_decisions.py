"""What acceptance rules decide: no input makes a rule accept a device that somebody has decided about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.devauth.rules import acceptance
from chalicelib.devauth.rules.acceptance import Applicant, Kind, Rule
from chalicelib.devauth.rules.sets import AuthSet, Standing, Status, strongest
from chalicelib.times import EARLIEST
from tests.devauth.acceptance import RULES, create, pattern, rule
from tests.devauth.fleet import DEVICES
from tests.simulator.device import Device
from tests.support.crashes import each_crash

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant

KEYS = ("first key", "second key", "third key")
statuses = st.sampled_from([status for status in Status if status is not Status.NOAUTH])
sets = st.lists(statuses, max_size=3).map(
    lambda found: tuple(AuthSet(f"set {key}", key, status, EARLIEST) for key, status in zip(KEYS, found, strict=False))
)
standings = st.builds(lambda found, lost: Standing(strongest(found), found, lost), sets, st.integers(0, 1))
identities = st.dictionaries(st.sampled_from("ab"), st.sampled_from(["x", "y", 1, True, None, ["x"]]))
applicants = st.builds(
    Applicant, identities, st.sampled_from(KEYS), standings, st.sampled_from([None, "", *KEYS]), st.booleans()
)
some_rules = st.builds(
    Rule,
    id=st.just("r"),
    name=st.just("n"),
    type=st.sampled_from([Kind.IDENTITIES, Kind.PATTERN]),
    enabled=st.booleans(),
    pattern=st.dictionaries(st.sampled_from("ab"), st.sampled_from(["*", "x", "?", "1", "true"]), max_size=2),
    created=st.just(EARLIEST),
    updated=st.just(EARLIEST),
)


@given(some_rules, applicants)
def test_a_rule_accepts_only_undecided_devices(rule: Rule, device: Applicant):
    if not acceptance.accepts(rule, device, EARLIEST):
        return
    found = device.standing.sets
    assert rule.enabled
    assert device.standing.generation == 0
    assert found
    assert {each.status for each in found} == {Status.PENDING}
    assert len(found) == 1 or device.expected_key == device.pubkey
    if rule.type is Kind.PATTERN:
        assert not device.was_decommissioned
    else:
        assert device.expected_key in {"", device.pubkey}
    assert all(isinstance(device.identity.get(name), str | int) for name in rule.pattern)


@given(some_rules, applicants)
def test_more_patterns_never_accept_more_devices(rule: Rule, device: Applicant):
    narrower = replace(rule, pattern={**rule.pattern, "b": "x"})
    if acceptance.accepts(narrower, device, EARLIEST) and rule.pattern.get("b") in {None, "x"}:
        assert acceptance.accepts(rule, device, EARLIEST)


def test_a_crash_anywhere_leaves_the_device_pending_or_accepted_once(
    api: httpx2.Client, http: httpx2.Client, tenant: Tenant
):
    rule_id = create(api, pattern())
    made: list[Device] = []

    def first_request() -> Any:
        made.append(Device(http, tenant.tenant_token, identity={"serial": f"a{len(made)}"}))
        return made[-1].auth()

    for _ in each_crash(first_request):
        assert made[-1].auth().status_code == 200
        accepted = api.get(f"{DEVICES}/count", params={"status": "accepted"}).json()["count"]
        assert accepted == len(made)
        assert rule(api, rule_id)["accepted_today"] == len(made)
    entries = api.get("/api/management/v1/auditlogs/logs", params={"object_type": "device", "per_page": 500}).json()
    assert len([each for each in entries if each["actor"]["id"] == rule_id]) == len(made)
    assert len(api.get(RULES).json()) == 1
