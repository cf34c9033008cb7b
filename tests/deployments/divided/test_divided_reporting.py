"""The tests of ``test_reporting``, with deployments that are divided into parts."""

from tests.deployments.test_reporting import *  # noqa: F403  # run again here
