"""The tests of ``test_polling``, with deployments that are divided into parts."""

from tests.deployments.test_polling import *  # noqa: F403  # run again here
