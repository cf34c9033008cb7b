"""The tests of ``test_downgrades``, with deployments that are divided into parts."""

from tests.deployments.test_downgrades import *  # noqa: F403  # run again here

# Each part has a counter, which the first of its devices creates.
del test_what_a_policy_costs  # noqa: F821
