"""The tests of ``test_outcomes``, with deployments that are divided into parts."""

from tests.deployments.test_outcomes import *  # noqa: F403  # run again here

# Each part takes a query of its own.
del test_the_cost_does_not_grow_with_the_deployment  # noqa: F821
