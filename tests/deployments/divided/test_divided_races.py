"""The tests of ``test_races``, with deployments that are divided into parts, and conflicts of transactions."""

from collections.abc import Iterator

import pytest

from tests.deployments.test_races import *  # noqa: F403  # run again here
from tests.support import faults


@pytest.fixture(autouse=True)
def conflicts() -> Iterator[None]:
    """Every fourth transaction is cancelled, because another one holds an item."""
    with faults.at(4, faults.FAULTS["cancelled-conflict"], repeated=True) as injected:
        yield
    assert injected.played
