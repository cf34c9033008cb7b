"""The tests of ``test_timeouts``, with deployments that are divided into parts."""

from tests.deployments.test_timeouts import *  # noqa: F403  # run again here
