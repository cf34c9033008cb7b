"""The main use cases, with each simulated failure of AWS at each of their calls."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenantadm
from chalicelib.useradm import service
from chalicelib.useradm import service as useradm
from infra.local.testing import LocalServer
from tests.conftest import PASSWORD
from tests.deployments.world import DEPLOYMENTS, DEVAUTH, World, serves, serves_nothing
from tests.simulator.artifacts import build_artifact
from tests.simulator.device import Device
from tests.support import faults, lag

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant

M1 = "/api/management/v1"
Run = Callable[[], httpx2.Response]
Check = Callable[[httpx2.Response], None]
_MOST = 40


class Cases:
    """Use cases: each prepares its data, and returns the call to make under the failure and its expected result."""

    def __init__(self, world: World, tenant: Tenant) -> None:
        self.world = world
        self.tenant = tenant
        world.upload("v1")
        self._device = world.device()

    def idle_poll(self) -> tuple[Run, Check]:
        """A device polls without a deployment."""
        return self._device.poll, serves_nothing

    def poll(self) -> tuple[Run, Check]:
        """A device polls and gets its update."""
        deployment = self.world.deploy("v1", [self._device.id], force_installation=True, name=uuid.uuid4().hex)

        def check(answer: httpx2.Response) -> None:
            serves(answer, deployment)
            assert self.world.numbers(deployment) == {"pending": 1}
            self.world.abort(deployment)

        return self._device.poll, check

    def report(self) -> tuple[Run, Check]:
        """A device's last report, which finishes its deployment."""
        device = self._device
        deployment = self.world.deploy("v1", [device.id], force_installation=True, name=uuid.uuid4().hex)
        serves(device.poll(), deployment)

        def check(answer: httpx2.Response) -> None:
            assert answer.status_code == 204, answer.text
            shown = self.world.show(deployment)
            assert (shown["status"], self.world.numbers(deployment)) == ("finished", {"success": 1})
            serves_nothing(device.poll())

        return lambda: device.report(deployment, "success"), check

    def create(self) -> tuple[Run, Check]:
        """An operator creates a deployment."""
        body = {
            "name": uuid.uuid4().hex,
            "artifact_name": "v1",
            "devices": [self._device.id],
            "force_installation": True,
        }

        def check(answer: httpx2.Response) -> None:
            assert answer.status_code == 201, answer.text
            deployment = answer.headers["Location"].rsplit("/", 1)[-1]
            assert self.world.show(deployment)["device_count"] in {0, 1}
            serves(self._device.poll(), deployment)
            self.world.abort(deployment)

        return lambda: self.world.api.post(DEPLOYMENTS, json=body), check

    def accept(self) -> tuple[Run, Check]:
        """An operator accepts a device, which then gets its token."""
        device = Device(self.world.http, self.world.token)
        assert device.auth().status_code == 401
        found = self.world.api.get(DEVAUTH, params={"status": "pending", "per_page": 500}).json()
        pending = next(each for each in found if each["identity_data"] == device.identity)
        place = f"{DEVAUTH}/{pending['id']}/auth/{pending['auth_sets'][0]['id']}/status"

        def check(answer: httpx2.Response) -> None:
            assert answer.status_code == 204, answer.text
            assert device.auth().status_code == 200
            serves_nothing(device.poll())
            assert self.world.api.delete(f"{DEVAUTH}/{pending['id']}").status_code == 204

        return lambda: self.world.api.put(place, json={"status": "accepted"}), check

    def authenticate(self) -> tuple[Run, Check]:
        """A device requests a new token."""

        def check(answer: httpx2.Response) -> None:
            assert answer.status_code == 200, answer.text
            serves_nothing(self._device.poll())

        return self._device.auth, check

    def upload(self) -> tuple[Run, Check]:
        """An operator uploads an artifact."""
        name = uuid.uuid4().hex
        files = {"artifact": ("a.mender", build_artifact(name, ("qemux86-64",)))}

        def check(answer: httpx2.Response) -> None:
            assert answer.status_code == 201, answer.text
            artifact = answer.headers["Location"].rsplit("/", 1)[-1]
            listed = self.world.api.get(f"{M1}/deployments/artifacts", params={"name": name}).json()
            assert [each["id"] for each in listed] == [artifact]
            link = self.world.api.get(f"{M1}/deployments/artifacts/{artifact}/download").json()["uri"]
            assert len(self.world.http.get(link).content) == len(files["artifact"][1])

        return lambda: self.world.api.post(f"{M1}/deployments/artifacts", files=files), check

    def login(self) -> tuple[Run, Check]:
        """A user logs in."""
        email = f"{uuid.uuid4().hex}@example.com"
        service.create_user(self.tenant.id, email, PASSWORD, by=EVERYTHING)

        def check(answer: httpx2.Response) -> None:
            assert answer.status_code == 200, answer.text
            theirs = {"Authorization": f"Bearer {answer.text}"}
            assert self.world.http.get(f"{M1}/useradm/users/me", headers=theirs).status_code == 200

        return lambda: self.world.http.post(f"{M1}/useradm/auth/login", auth=(email, PASSWORD)), check

    def inventory(self) -> tuple[Run, Check]:
        """A device reports its inventory."""
        value = uuid.uuid4().hex

        def check(answer: httpx2.Response) -> None:
            assert answer.status_code == 200, answer.text
            shown = self.world.api.get(f"/api/0.1.0/inventory/devices/{self._device.id}")
            if shown.status_code == 404:
                shown = self.world.api.get(f"{M1}/inventory/devices/{self._device.id}")
            assert value in [each["value"] for each in shown.json()["attributes"]]

        return lambda: self._device.inventory({"a": value}), check


CASES = ["idle_poll", "poll", "report", "create", "accept", "authenticate", "upload", "login", "inventory"]


@pytest.fixture(scope="module")
def cases(server: LocalServer) -> Iterator[Cases]:
    """One tenant for all cases: each creates its data, and leaves the device without a deployment."""
    tenant = tenantadm.create_tenant("Faults")
    useradm.create_user(tenant.id, email := f"{uuid.uuid4().hex}@example.com", PASSWORD, by=EVERYTHING)
    with httpx2.Client(base_url=server.url, timeout=30) as http, httpx2.Client(base_url=server.url, timeout=30) as api:
        token = http.post(f"{M1}/useradm/auth/login", auth=(email, PASSWORD)).text
        api.headers["Authorization"] = f"Bearer {token}"
        yield Cases(World(api, http, tenant.tenant_token), tenant)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("fault", faults.FAULTS)
def test_a_temporary_failure_is_hidden_by_retries(cases: Cases, case: str, fault: str):
    for number in range(1, _MOST):
        run, check = getattr(cases, case)()
        with faults.at(number, faults.FAULTS[fault]) as so_far:
            answer = run()
        check(answer)
        if not so_far.played:
            return
    pytest.fail("it never came through")


@pytest.mark.parametrize("case", ["poll", "report", "create", "accept", "upload"])
@pytest.mark.parametrize("fault", faults.FINAL)
def test_a_permanently_refused_transaction_leaves_nothing_behind(cases: Cases, case: str, fault: str):
    run, check = getattr(cases, case)()
    with faults.at(1, faults.FINAL[fault], for_good=True) as so_far:
        answer = run()

    assert so_far.played == 1, "it is not tried again"
    assert answer.status_code == 500, answer.text
    check(run())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("number", [1, 2, 4])
def test_an_outage_causes_503_and_calls_succeed_afterwards(cases: Cases, case: str, number: int):
    run, check = getattr(cases, case)()
    with faults.at(number, faults.FAULTS["throttled"], for_good=True) as so_far:
        answer = run()

    if so_far.played:
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) >= 5
        answer = run()
    check(answer)


@pytest.mark.parametrize("case", ["poll", "create", "upload"])
@pytest.mark.parametrize("fault", faults.OTHERS)
def test_a_temporary_failure_of_another_service_is_hidden_by_retries(cases: Cases, case: str, fault: str):
    for number in range(1, _MOST):
        run, check = getattr(cases, case)()
        with faults.others_at(number, faults.OTHERS[fault]) as so_far:
            answer = run()
        check(answer)
        if not so_far.played:
            return
    pytest.fail("it never came through")


@pytest.mark.parametrize("case", CASES)
def test_lagging_reads_within_a_request_have_no_effect(cases: Cases, case: str):
    """A request does not use eventually consistent reads for its own writes."""
    run, check = getattr(cases, case)()
    with lag.behind():
        answer = run()
    check(answer)


@pytest.mark.parametrize("case", ["poll", "report", "login", "inventory", "upload", "create"])
def test_recent_writes_are_used_despite_lagging_reads(cases: Cases, case: str):
    with lag.behind() as before:
        run, check = getattr(cases, case)()
        answer = run()
    assert before, "nothing was written"
    check(answer)
