"""Some of ``tests/inventory/test_search.py`` with large tenants."""

from tests.inventory.conftest import device
from tests.inventory.test_search import (
    fleet,
    test_a_change_is_found_immediately,
    test_a_user_with_a_scope_finds_devices_of_their_groups_only,
    test_booleans_are_found,
    test_ids_and_text,
    test_listing_the_names_of_attributes,
    test_order_pages_and_projection,
    test_statistics,
    test_the_list_is_sorted_by_id_with_an_exact_total,
)

__all__ = [
    "device",
    "fleet",
    "test_a_change_is_found_immediately",
    "test_a_user_with_a_scope_finds_devices_of_their_groups_only",
    "test_booleans_are_found",
    "test_ids_and_text",
    "test_listing_the_names_of_attributes",
    "test_order_pages_and_projection",
    "test_statistics",
    "test_the_list_is_sorted_by_id_with_an_exact_total",
]
