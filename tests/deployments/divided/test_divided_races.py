"""The tests of ``test_races``, with deployments that are divided into parts."""

from tests.deployments.test_races import *  # noqa: F403  # run again here
