"""Password hashes: argon2id, and bcrypt for imported users.

Only this module loads the hashing libraries, and only when a password is checked, which a call with a token never
needs. The parameters are OWASP's minimum for argon2id (19 MiB, 2 passes, 1 lane: 24 ms); a small Lambda function has no
memory for more under many logins.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_BCRYPT = ("$2a$", "$2b$", "$2y$")
_BCRYPT_BYTES = 72
"""bcrypt ignores further bytes; older Mender servers cut longer passwords here."""

DUMMY = "$argon2id$v=19$m=19456,t=2,p=1$OYGkGTfXThli95qvgsCbdA$E5pg4qSo21YVZJamLvyeAbfdDUIlh1CnTLTXVHUhv3g"
"""The hash of an unknown random password. Logins of unknown users are verified against it, so that the answer takes the
same time. It is a constant, because computing it would make a new process slower for unknown users."""


@cache
def _hasher() -> PasswordHasher:
    # Imported here: only sign-ins and new passwords need it.
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hash_password(password: str) -> str:
    """The hash to store."""
    return _hasher().hash(password)


def is_known_form(hashed: str) -> bool:
    """Whether :func:`verify` can read this hash; for imports."""
    return hashed.startswith(("$argon2id$", *_BCRYPT))


def verify(hashed: str, password: str) -> bool:
    """Whether ``password`` has this hash. None stands for :data:`DUMMY`."""
    if hashed.startswith(_BCRYPT):
        # Imported here: only sign-ins and new passwords need it.
        import bcrypt

        try:
            return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], hashed.encode())
        except ValueError:
            return False
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(hashed, password)
    except (InvalidHashError, VerificationError):
        return False
    return hashed != DUMMY


def is_outdated(hashed: str) -> bool:
    """Whether a hash was made with another algorithm or with other parameters than the present ones."""
    return hashed.startswith(_BCRYPT) or _hasher().check_needs_rehash(hashed)
