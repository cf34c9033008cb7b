"""Real devices are accepted by rules at their first request, and refused without the key of their certificate."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.devauth.acceptance import IDENTITIES, RULES
from tests.devauth.authority import Ca, text

if TYPE_CHECKING:
    from tests.clients.conftest import NewClient
    from tests.clients.operator import Operator
    from tests.simulator.device import PrivateKey

pytestmark = pytest.mark.clients


def test_a_preregistered_client_is_accepted_at_once(new_client: NewClient, operator: Operator) -> None:
    operator.create(IDENTITIES, [{"identity_data": {"SerialNo": "expected-lamp"}}])

    client = new_client("expected-lamp", "ec")

    client.wait("is accepted", partial(operator.accepted, client))
    client.wait("sends its inventory", partial(operator.inventory, client))
    assert "dev auth: unauthorized" not in client.log()


def test_a_client_is_accepted_by_its_certificate(new_client: NewClient, operator: Operator) -> None:
    ca = Ca()
    rule = {"name": "factory", "type": "certificate", "certificates": [ca.pem], "common_name": "SerialNo"}
    operator.create(RULES, rule)
    certificates: list[str] = []

    def certify(key: PrivateKey) -> str:
        certificates.append(text(ca.sign("certified-lamp", key)))
        return certificates[0]

    client = new_client("certified-lamp", "rsa", certify)

    client.wait("is accepted", partial(operator.accepted, client))
    client.wait("sends its inventory", partial(operator.inventory, client))
    # A copy of the certificate with another key.
    copied = new_client("copied-lamp", "ec", lambda _: certificates[0])
    copied.wait("is refused", lambda: "dev auth: unauthorized" in copied.log())
    assert operator.pending(copied)
