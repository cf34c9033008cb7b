"""The tests of ``test_dynamic``, with deployments that are divided into parts."""

from datetime import timedelta
from functools import partial

from chalicelib import clock
from chalicelib.deployments.service import managing as deployments
from tests.deployments.test_dynamic import *  # noqa: F403  # run again here
from tests.deployments.test_dynamic import deploy, tagged
from tests.deployments.test_races import concurrently
from tests.deployments.world import World, serves_nothing

MINUTES = timedelta(minutes=2)


def test_the_limit_is_exact_with_concurrent_polls_and_reports(  # type: ignore[no-redef]  # instead of the other
    world: World, chosen: str
) -> None:
    devices = tagged(world, 12)
    deployment = deploy(world, chosen, max_devices=7)
    answers = concurrently([device.poll for device in devices])
    served = [device for device, answer in zip(devices, answers, strict=True) if answer.status_code == 200]
    assert len(served) == len(world.rows(deployment)) == 7
    for device in devices:
        if device not in served:
            serves_nothing(device.poll())

    deployments.tick(clock.now())
    answers = concurrently([partial(device.report, deployment, "success") for device in served])
    assert {answer.status_code for answer in answers} == {204}
    # No part knows how many devices the others have, so the schedule ends it.
    assert (world.show(deployment)["status"], world.numbers(deployment)) == ("inprogress", {"success": 7})
    deployments.tick(clock.now() + MINUTES)
    deployments.tick(clock.now() + 2 * MINUTES)
    assert (world.show(deployment)["status"], world.numbers(deployment)) == ("finished", {"success": 7})
