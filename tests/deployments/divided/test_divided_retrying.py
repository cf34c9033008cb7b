"""The tests of retries, with deployments that are divided into parts."""

from tests.deployments.test_retrying import *  # noqa: F403  # run again here
from tests.deployments.test_retrying_faults import *  # noqa: F403

# Each part takes queries of its own.
del test_the_cost_of_a_retry  # noqa: F821
# Their limits replace those of the other tests here.
del test_a_retry_of_many_devices_is_prepared, test_a_prepared_retry_is_for_devices_in_the_users_groups  # noqa: F821
del test_an_earlier_worker_gives_a_retry_to_no_device  # noqa: F821
