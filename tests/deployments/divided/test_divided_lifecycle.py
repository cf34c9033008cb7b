"""The tests of ``test_lifecycle``, with deployments that are divided into parts."""

from tests.deployments.test_lifecycle import *  # noqa: F403  # run again here
