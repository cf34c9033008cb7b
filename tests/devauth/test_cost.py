"""What device authentication costs in DynamoDB: counted, not timed."""

from __future__ import annotations

from tests.devauth.fleet import DEVICES, accept
from tests.simulator.device import Device
from tests.support.probe import counted


def test_an_accepted_device_costs_one_read_and_no_write(api, device, warm):
    accept(api, device)
    with counted() as cost:
        assert device.auth().status_code == 200
    assert cost.calls == ["GetItem"]
    assert cost.read_units <= 2
    assert cost.write_units == 0


def test_a_repeated_request_of_a_pending_device_costs_one_read(device, warm):
    device.auth()
    with counted() as cost:
        assert device.auth().status_code == 401
    assert cost.calls == ["GetItem"]
    assert cost.write_units == 0


def test_a_page_of_devices_costs_one_query(api, http, tenant, warm):
    for _ in range(25):
        Device(http, tenant.tenant_token).auth()
    api.get(DEVICES)
    with counted() as cost:
        assert len(api.get(DEVICES).json()) == 20
    # The other call reads the user's session and roles.
    assert sorted(cost.calls) == ["BatchGetItem", "Query"]
    assert cost.read_units <= 2 + 4


def test_a_count_costs_one_query(api, device, warm):
    device.auth()
    api.get(f"{DEVICES}/count")
    with counted() as cost:
        assert api.get(f"{DEVICES}/count").json() == {"count": 1}
    assert sorted(cost.calls) == ["BatchGetItem", "Query"]
    assert cost.read_units <= 3
