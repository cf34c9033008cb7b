"""Certificates of devices, which an acceptance rule checks against the CA certificates of the tenant.

A device shows its certificate in its identity data, and proves that it is its own by the signature of its request: the
certificate must be for the key that signs. So a copy of identity data is of no use without the key. Chains are verified
by ``cryptography``: signatures, validity, that each issuer is a CA, and the length of the path (RFC 5280, 6.1).
Purposes (extended key usage) and names are not checked, because certificates from a factory rarely have them, and there
is no revocation: reject the device, or take the CA out of the rule.

The library for certificates takes 50 ms to load, so this module is imported where a rule needs it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy

from chalicelib import limits
from chalicelib.devauth.rules import pubkeys
from chalicelib.devauth.rules.authority import Authority
from chalicelib.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_RSA_BITS: Final = 2048
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_ARMOUR: Final = re.compile(r"-----(?:BEGIN|END) CERTIFICATE-----|\s+")


def authority(pem: str, now: datetime) -> Authority:
    """The CA certificate in ``pem``.

    Raises:
        BadRequest: it is none, or several, has expired, may not sign certificates, or its signatures can't be verified.
    """
    if len(pem) > limits.ACCEPTANCE_CERTIFICATE:
        raise BadRequest(f"certificates: a certificate is too large (max: {limits.ACCEPTANCE_CERTIFICATE} bytes)")
    if "PRIVATE KEY" in pem:
        raise BadRequest("certificates: this contains a private key, which was not stored; give the certificate alone")
    if pem.count(_BEGIN) > 1:
        raise BadRequest("certificates: a text contains several certificates; give each as a text of its own")
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key, subject = certificate.public_key(), certificate.subject.rfc4514_string()
        extensions = certificate.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise BadRequest("certificates: this is no CA certificate: it has no basic constraints") from error
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension) as error:
        raise BadRequest(
            "certificates: cannot decode a certificate; each must be an X.509 certificate in PEM"
        ) from error
    usages = [each.value for each in extensions if isinstance(each.value, x509.KeyUsage)]
    if not basic.ca or not all(usage.key_cert_sign for usage in usages):
        raise BadRequest(f"certificates: {subject} may not sign certificates: it is no CA")
    if not _may_verify(key):
        raise BadRequest(
            f"certificates: the key of {subject} must be RSA with {_RSA_BITS} bits or more, or ECDSA on P-256, "
            "P-384 or P-521; signatures with other keys are not verified"
        )
    if certificate.not_valid_after_utc <= now:
        raise BadRequest(f"certificates: {subject} has expired")
    return Authority(certificate.public_bytes(Encoding.PEM).decode(), subject, certificate.not_valid_after_utc)


def _may_verify(key: object) -> bool:
    """Whether ``cryptography`` verifies chains with such a key of a CA; with others, a rule would accept no device."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= _RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


def is_certified(authorities: Sequence[str], shown: Any, pubkey: str, common_name: str | None, now: datetime) -> bool:
    """Whether a device has a valid certificate for its key from one of these CAs.

    Args:
        authorities: CA certificates in PEM.
        shown: its attribute ``certificate``: base64 of DER or PEM, or a list of these, of which the first is its own.
        pubkey: the key that signed the device's request, as canonical PEM.
        common_name: the common name that the certificate must have; None: any.
        now: when it must be valid.
    """
    texts = shown if isinstance(shown, list) else [shown]
    if not 0 < len(texts) <= limits.ACCEPTANCE_CHAIN:
        return False
    try:
        leaf, *others = [x509.load_der_x509_certificate(_der(text)) for text in texts]
        if _key_of(leaf) != pubkey or common_name not in {None, *_common_names(leaf)}:
            return False
        trusted = verification.Store([x509.load_pem_x509_certificate(pem.encode()) for pem in authorities])
        policy = verification.PolicyBuilder().store(trusted).time(now)
        policy = policy.extension_policies(ca_policy=_ca_policy(), ee_policy=ExtensionPolicy.permit_all())
        policy.build_client_verifier().verify(leaf, others)
    except (
        ValueError,
        BadRequest,
        UnsupportedAlgorithm,
        verification.VerificationError,
        x509.InvalidVersion,
        x509.DuplicateExtension,
    ):
        return False
    return True


def _der(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("not a text")  # noqa: TRY004  # a value, of what a device sends
    plain = _ARMOUR.sub("", text)
    try:
        # Some programs drop the "=" at the end of a line.
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _key_of(certificate: x509.Certificate) -> str:
    """Its key as canonical PEM.

    Raises:
        BadRequest: it is of a type that devices may not use.
    """
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pubkeys.canonical(pubkeys.parse(pem.decode()))


def _common_names(certificate: x509.Certificate) -> list[str | bytes]:
    return [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def _ca_policy() -> ExtensionPolicy:
    """What a CA certificate must have: the CA flag, and if it limits its uses, that of signing certificates.

    ``openssl req -x509`` makes CA certificates without key usage.
    """

    def may_sign(_policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
        if usage is not None and not usage.key_cert_sign:
            raise ValueError("the issuer may not sign certificates")

    required = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    return required.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, may_sign)
