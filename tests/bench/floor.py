"""The floor of a device's call: the least that a process has to do, without any of our code.

It checks the token's signature with ``cryptography``, signs the requests to DynamoDB, and sends and reads each with as
few system calls as possible. What a call costs above this is the cost of our code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_HASH = hashes.SHA256()
_PADDING = padding.PKCS1v15()


def check_token(token: str, key: RSAPublicKey) -> object:
    """The claims of a token whose signature is right."""
    signed, _, signature = token.rpartition(".")
    key.verify(base64.urlsafe_b64decode(signature + "=="), signed.encode(), _PADDING, _HASH)
    return json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))


def reader(url: str, region: str, table: str, key: tuple[str, str]) -> Callable[[], bytes]:
    """A function that reads an item over a connection that stays open; it returns the answer's body.

    ``url``: the engine's. Its credentials are those of the environment.
    """
    place = urlsplit(url)
    connection = socket.create_connection((place.hostname or "", place.port or 80))
    request = {"TableName": table, "Key": {"pk": {"S": key[0]}, "sk": {"S": key[1]}}, "ConsistentRead": True}
    body = json.dumps(request).encode()
    digest = hashlib.sha256(body).hexdigest()
    access, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    day = time.strftime("%Y%m%d", time.gmtime())
    signing = f"AWS4{secret}".encode()
    for part in (day, region, "dynamodb", "aws4_request"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    scope = f"{day}/{region}/dynamodb/aws4_request"
    names = "host;x-amz-date;x-amz-target"

    def read() -> bytes:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        signed = f"host:{place.netloc}\nx-amz-date:{stamp}\nx-amz-target:DynamoDB_20120810.GetItem\n"
        canonical = hashlib.sha256(f"POST\n/\n\n{signed}\n{names}\n{digest}".encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}"
        signature = hmac.digest(signing, text.encode(), "sha256").hex()
        head = (
            f"POST / HTTP/1.1\r\n{signed.replace(chr(10), chr(13) + chr(10))}"
            f"content-type:application/x-amz-json-1.0\r\ncontent-length:{len(body)}\r\n"
            f"authorization: AWS4-HMAC-SHA256 Credential={access}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        answer = connection.recv(65536)
        # Some servers send head and body apart.
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode(errors="replace"))
        return answer.partition(b"\r\n\r\n")[2]

    return read
