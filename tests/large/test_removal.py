"""Nothing of a large tenant is left when it is removed."""

from tests.tenantadm.test_removal import TestErasure as _Erasure
from tests.tenantadm.test_removal import full, server, settled

__all__ = ["full", "server", "settled"]


class TestErasure:
    test_nothing_is_left = _Erasure.test_nothing_is_left
