"""The tests of ``test_phases``, with deployments that are divided into parts."""

from tests.deployments.test_phases import *  # noqa: F403  # run again here

# The first devices of the parts cost more, the others less: ``test_large_costs`` counts them.
del test_the_cost_of_polls_with_phases  # noqa: F821
