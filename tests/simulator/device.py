"""A simulated device: an identity, a key, and the calls of a Mender client."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

AUTH_REQUESTS = "/api/devices/v1/authentication/auth_requests"
_INVENTORY = "/api/devices/v1/inventory/device/attributes"
_DEPLOYMENTS = "/device/deployments"


def new_key() -> PrivateKey:
    """A new key, of the kind that is generated fastest."""
    return ed25519.Ed25519PrivateKey.generate()


def new_identity() -> dict[str, Any]:
    """Identity data that no other device has."""
    return {"mac": uuid.uuid4().hex}


class Signer:
    """The identity, key and signature of an auth request, without an HTTP client."""

    tenant_token: str
    identity: dict[str, Any]
    key: PrivateKey
    tier: str | None = None
    token: str | None = None

    @property
    def claims(self) -> dict[str, Any]:
        """The token's claims."""
        if self.token is None:
            raise RuntimeError("the device has no token")
        part = self.token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return claims

    @property
    def pubkey(self) -> str:
        """The public key in PEM."""
        return (
            self.key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def sign(self, body: bytes) -> str:
        """The signature of a request body, for its header."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            signature = self.key.sign(body, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(self.key, ec.EllipticCurvePrivateKey):
            signature = self.key.sign(body, ec.ECDSA(hashes.SHA256()))
        else:
            signature = self.key.sign(body)
        return base64.b64encode(signature).decode()

    def auth_body(self) -> bytes:
        """The body of an auth request, with the newline at its end that clients send."""
        document = {
            "id_data": json.dumps(self.identity),
            "pubkey": self.pubkey,
            "tenant_token": self.tenant_token,
        }
        if self.tier is not None:
            document["tier"] = self.tier
        return json.dumps(document).encode() + b"\n"


@dataclass
class Device(Signer):
    """One device.

    ``http`` is a client of the server without a token; devices may share it. ``tenant_token`` goes into the
    body of auth requests. ``token`` is the last token got, None before.
    """

    http: httpx2.Client
    tenant_token: str = ""
    identity: dict[str, Any] = field(default_factory=new_identity)
    key: PrivateKey = field(default_factory=new_key)
    device_type: str = "qemux86-64"
    artifact_name: str = "original"
    token: str | None = None
    tier: str | None = None

    def auth(self, body: bytes | None = None) -> httpx2.Response:
        """Request a token, and keep it if one is issued."""
        raw = self.auth_body() if body is None else body
        headers = {"Content-Type": "application/json", "X-MEN-Signature": self.sign(raw)}
        answer = self.http.post(AUTH_REQUESTS, content=raw, headers=headers)
        if answer.status_code == 200:
            self.token = answer.text
        return answer

    @property
    def id(self) -> str:
        """The device's id, from its token."""
        return str(self.claims["sub"])

    def call(self, method: str, path: str, document: Any = None, **kwargs: Any) -> httpx2.Response:
        """Make a call with the token; ``path`` is relative to ``/api/devices``."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.http.request(method, f"/api/devices{path}", json=document, headers=headers, **kwargs)

    def inventory(self, attributes: dict[str, Any] | None = None, *, method: str = "PUT") -> httpx2.Response:
        """Report attributes, by default those that every client reports."""
        values = attributes
        if values is None:
            values = {"artifact_name": self.artifact_name, "device_type": self.device_type}
        document = [{"name": name, "value": value} for name, value in values.items()]
        return self.call(method, _INVENTORY.removeprefix("/api/devices"), document)

    def poll(self, **provides: Any) -> httpx2.Response:
        """Poll for an update like present clients; ``provides`` are further members of ``device_provides``."""
        known = {"artifact_name": self.artifact_name, "device_type": self.device_type}
        document = {"device_provides": known | provides, "update_control_map": True}
        return self.call("POST", f"/v2/deployments{_DEPLOYMENTS}/next", document)

    def report(self, deployment: str, status: str, **more: Any) -> httpx2.Response:
        """Report the status of an update."""
        path = f"/v1/deployments{_DEPLOYMENTS}/{deployment}/status"
        return self.call("PUT", path, {"status": status, **more})
