"""A small OpenID Connect provider on loopback, whose answers tests can manipulate."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

if TYPE_CHECKING:
    from types import TracebackType

CLIENT, SECRET = "lamplighter:one", "s3cret & more"
_RSA = rsa.generate_private_key(65537, 2048)
_EC = ec.generate_private_key(ec.SECP256R1())
UNKNOWN_KEY = rsa.generate_private_key(65537, 2048)


def public_rsa(kid: str, **more: Any) -> dict[str, Any]:
    """The published form of the provider's RSA key."""
    return {**RSAAlgorithm.to_jwk(_RSA.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def jws(header: dict[str, Any], payload: bytes, sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    """A token with any header and payload, signed by ``sign``; libraries would refuse some of them."""
    parts = [urlsafe_b64encode(part).rstrip(b"=") for part in (json.dumps(header).encode(), payload)]
    signed = b".".join(parts)
    return b".".join([signed, urlsafe_b64encode(sign(signed)).rstrip(b"=")]).decode()


def rsa_signature(key: rsa.RSAPrivateKey, signed: bytes) -> bytes:
    """RS256."""
    return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def public_ec(kid: str) -> dict[str, Any]:
    """The published form of the provider's EC key."""
    return {**ECAlgorithm.to_jwk(_EC.public_key(), as_dict=True), "kid": kid, "use": "sig"}


@dataclass
class Provider:
    """The provider: who logs in next (``claims``), how tokens are signed, and the received requests."""

    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=lambda: {"kid": "one"})
    algorithm: str = "RS256"
    key: Any = _RSA
    keys: list[dict[str, Any]] = field(default_factory=lambda: [public_rsa("one"), public_ec("two")])
    methods: list[str] = field(default_factory=lambda: ["client_secret_basic", "client_secret_post"])
    document: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    """Replacements for correct answers, by path: the bytes of an HTTP answer, or a function that answers."""
    token: Callable[[dict[str, Any]], str] | None = None
    """Creates the ID token for these claims, instead of a correct one."""
    seen: list[str] = field(default_factory=list)
    redeemed: list[dict[str, str]] = field(default_factory=list)
    """The received forms with codes."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    visitor: str = ""
    """The address of the person who logs in; empty: they refuse."""

    def __enter__(self) -> Self:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # name required by http.server
                provider.get(self)

            def do_POST(self) -> None:  # name required by http.server
                provider.post(self)

            def log_message(self, *_: Any) -> None:
                """Do not log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Its URL."""
        return self._server.server_port

    @property
    def issuer(self) -> str:
        """Its issuer."""
        return f"http://localhost:{self.port}"

    def log_in(self, location: str, subject: str = "subject-1", **claims: Any) -> dict[str, str]:
        """A person logs in at the redirect; returns the query with which the browser returns."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert asked["response_type"] == "code"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        self.claims = {"sub": subject, "email_verified": True, **claims}
        return {"state": asked["state"], "code": code}

    def get(self, call: BaseHTTPRequestHandler) -> None:
        """Serve metadata and keys."""
        self.seen.append(call.path)
        if self._lied(call):
            return
        if call.path.startswith("/authorize?"):
            self._send_back(call)
            return
        if call.path == "/jwks":
            self._answer(call, 200, {"keys": self.keys})
            return
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=x",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "token_endpoint_auth_methods_supported": self.methods,
        }
        self._answer(call, 200, document | self.document)

    def _send_back(self, call: BaseHTTPRequestHandler) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
        refused = {"state": asked["state"], "error": "access_denied"}
        answer = self.log_in(call.path, self.visitor, email=self.visitor) if self.visitor else refused
        call.send_response(302)
        call.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
        call.send_header("Content-Length", "0")
        call.end_headers()

    def post(self, call: BaseHTTPRequestHandler) -> None:
        """Exchange a code for a token, for its own client."""
        self.seen.append(call.path)
        form = parse_qs(call.rfile.read(int(call.headers["Content-Length"])).decode())
        given = {name: values[0] for name, values in form.items()}
        self.redeemed.append(given)
        if self._lied(call):
            return
        asked = self.codes.pop(given.get("code", ""), None)
        if asked is None or not self._is_client(call, given):
            self._answer(call, 400, {"error": "invalid_grant"})
            return
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        proof = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if proof != asked["code_challenge"] or given["redirect_uri"] != asked["redirect_uri"]:
            self._answer(call, 400, {"error": "invalid_grant"})
            return
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.claims}
        said = {name: value for name, value in said.items() if value is not None}
        self._answer(call, 200, {"access_token": "x", "token_type": "Bearer", "id_token": self._signed(said)})

    def _lied(self, call: BaseHTTPRequestHandler) -> bool:
        lie = self.raw.get(call.path)
        if lie is None:
            return False
        with suppress(OSError):  # a client disconnects if the answer is too large
            if isinstance(lie, bytes):
                call.wfile.write(lie)
            else:
                lie(call)
        call.close_connection = True
        return True

    def _signed(self, said: dict[str, Any]) -> str:
        if self.token is not None:
            return self.token(said)
        if self.algorithm != "HS256":
            return jwt.encode(said, self.key, self.algorithm, self.header)
        header = {"alg": "HS256", **self.header}
        return jws(header, json.dumps(said).encode(), lambda signed: hmac.digest(self.key, signed, "sha256"))

    def _is_client(self, call: BaseHTTPRequestHandler, given: dict[str, str]) -> bool:
        if "client_secret_basic" not in self.methods:
            return (given["client_id"], given.get("client_secret")) == (CLIENT, SECRET)
        name, _, secret = b64decode(call.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, SECRET)

    @staticmethod
    def _answer(call: BaseHTTPRequestHandler, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        call.send_response(status)
        call.send_header("Content-Type", "application/json")
        call.send_header("Content-Length", str(len(body)))
        call.end_headers()
        call.wfile.write(body)
