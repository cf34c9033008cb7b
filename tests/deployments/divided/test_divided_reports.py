"""The tests of ``test_reports``, with deployments that are divided into parts."""

from tests.deployments.test_reports import *  # noqa: F403  # run again here

# Whole parts are read.
del test_a_report_of_many_devices_is_made_from_a_sample  # noqa: F821
