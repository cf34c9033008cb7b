"""The tests of ``test_crashes``, with deployments that are divided into parts."""

from tests.deployments.test_crashes import *  # noqa: F403  # run again here
