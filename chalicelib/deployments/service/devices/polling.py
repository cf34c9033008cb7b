"""``deployments/next``: which update a device gets (``docs/behaviour.md#polling``).

Devices make this call far more often than any other, so it decides what a fleet costs: an idle poll is one read. If
nothing can wait for the device, the poll ends here, and a new process does not even load what else it would need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.fleet import control

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.deployments.shapes.devices import Instructions
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId


def next_update(
    tenant: TenantId, head: Head, provides: Mapping[str, str], *, server: str, takes_map: bool = False
) -> Instructions | None:
    """The update for a device; None means no update (204).

    Args:
        tenant: the device's tenant.
        head: the device's head, as this call read it.
        provides: what the device provides: ``device_type``, ``artifact_name`` and others.
        server: the server's address for devices, ``https://host``.
        takes_map: whether the device understands update control maps.

    Raises:
        Conflict: polls of one active row disagree about the device; the row has become a failure.
    """
    if head.current is None and not head.queue and not control.get(tenant).open:
        return None
    # Imported here: see above.
    from chalicelib.deployments.service.devices import serving

    return serving.serve(tenant, head, provides, server=server, takes_map=takes_map)
