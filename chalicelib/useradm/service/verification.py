"""Mailed secrets: reset a password, verify an address, change an address.

A caller who is not signed in learns nothing: the call checks the form of the address, counts it and queues a message,
for every address alike. The worker looks for an account, creates the secret and mails it, so no queue and no answer
contains a secret.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from chalicelib import actor, clock, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.aws import mail, queues
from chalicelib.errors import (
    BadRequest,
    Conflict,
    DomainError,
    Gone,
    NotFound,
    TooManyRequests,
    Unavailable,
    Unprocessable,
)
from chalicelib.fleet import control, strangers
from chalicelib.observability import logger
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried
from chalicelib.useradm import rules
from chalicelib.useradm.rules import Purpose
from chalicelib.useradm.service import access, failed_attempts, mail_texts, passwords
from chalicelib.useradm.service.users import about, acting_as, commit_change, find_user, get_user, is_invited
from chalicelib.useradm.tables import attempts, requests, users
from chalicelib.useradm.tables.requests import Request

if TYPE_CHECKING:
    from chalicelib.rights import Rights
    from chalicelib.useradm.tables.users import User

_WINDOW = timedelta(seconds=limits.MAILS_WINDOW)
_NOT_GOOD = "the link or code is not valid, or was used already"
_EXPIRED = "the link or code has expired"


class Order(msgspec.Struct, frozen=True, tag="account"):
    """A message to the mail worker: write to this address, if there is a reason."""

    purpose: Purpose
    email: str
    user: str = ""
    """The user who changes to this address; empty: the user who has it."""
    tenant: str = ""


def ask_to_verify(email: str) -> None:
    """Mail a new user a link that verifies the address, if mail is configured."""
    if mail.configured():
        _order_for_all(Purpose.VERIFY_EMAIL, rules.email(email))


def invite(email: str) -> None:
    """Mail a new user a link for setting a first password."""
    _order_for_all(Purpose.INVITATION, rules.email(email))


def invite_again(tenant: TenantId, user_id: str, *, by: Rights) -> None:
    """Mail another invitation to a user who has not accepted one yet; the link of the earlier one ends.

    Raises:
        Conflict: the user has accepted it.
        Forbidden: the user has rights that ``by`` does not cover.
        NotFound: the tenant has no such user.
        TooManyRequests: the limit of mails to the address, or of those asked for from this network, is reached.
        Unavailable: the user changed too often meanwhile.
    """
    user = get_user(tenant, user_id)
    access.require_cover(user, by)
    if not is_invited(user):
        raise Conflict("the user has accepted the invitation already")
    admit_mail(user.email)
    tx = Transaction()
    _record(tx, user, "The invitation was sent again")
    tx.commit()
    invite(user.email)


def start(purpose: Purpose, email: str) -> None:
    """Mail a secret to an address, if it belongs to an account. The call does the same either way.

    Requests of strangers must not keep the owner from getting a mail, so mails are counted by address and network. If
    many networks ask for one address, no more mails are sent there for a while and the answer stays the same: the owner
    has the last of many links, which remains valid for longer than that.

    Raises:
        BadRequest: it is not an address.
        TooManyRequests: this network has reached the limit of mails to this address, or to all.
    """
    admit_mail(email)
    _order_for_all(purpose, rules.email(email))


def admit_mail(email: str) -> None:
    """Count a mail that the caller requests for an address.

    Raises:
        BadRequest: it is not an address.
        TooManyRequests: this network has reached the limit of mails to this address, or to all.
    """
    _count(rules.email(email), rules.network(actor.current().source_ip))
    strangers.admit(strangers.Kind.MAILS, limits.MAILS_PER_NETWORK)


def _count(address: str, asking: str) -> None:
    now = clock.now()
    sent, until = attempts.count(_hash(address), f"mails {asking}", now, _WINDOW)
    if sent > limits.MAILS_PER_ADDRESS:
        raise TooManyRequests(retry_after=math.ceil((until - now).total_seconds()))


def _order_for_all(purpose: Purpose, address: str) -> None:
    """Queue a mail, unless the limit of such mails to the address is reached, whoever requested them."""
    sent, _ = attempts.count(_hash(address), f"mails {purpose}", clock.now(), _WINDOW)
    if sent <= limits.MAILS_TO_ADDRESS:
        _order(Order(purpose, address))


def _order(order: Order) -> None:
    if mail.configured():
        queues.send(queues.Queue.MAILS, order)
    else:
        logger.warning("mail not sent: LAMPLIGHTER_MAIL_FROM is not set", extra={"purpose": order.purpose})


def write_mail(order: Order) -> None:
    """Mail a new secret, if there is an account for it. Run again, it mails another, the only valid one."""
    user = _addressee(order)
    if user is None or not control.get(user.tenant).active:
        return
    secret = _new_secret(user, order.purpose, order.email)
    if secret is not None:
        mail.deliver(mail_texts.confirm(order.purpose, user.email, order.email, secret))


def _addressee(order: Order) -> User | None:
    found = users.find_email(order.email)
    if order.purpose is Purpose.EMAIL_CHANGE:
        # Nobody is mailed at an address that belongs to another account: it cannot be changed to.
        return None if found else users.find(TenantId(order.tenant), order.user)
    user = users.find(*found) if found else None
    if user is None or _needs_no_letter(user, order.purpose):
        return None
    return user


def _needs_no_letter(user: User, purpose: Purpose) -> bool:
    match purpose:
        case Purpose.VERIFY_EMAIL:
            return user.verified
        case Purpose.INVITATION:
            return not is_invited(user)
        case _:
            return _logs_in_elsewhere(user)


def _logs_in_elsewhere(user: User) -> bool:
    """Whether the user signs in at a provider and has no password: a password would outlive the identity there."""
    return bool(user.sso) and user.password == passwords.DUMMY


def _new_secret(user: User, purpose: Purpose, address: str) -> str | None:
    """Create the secret of a request and store its hash; None if a change of address was cancelled meanwhile."""
    secret = secrets.token_urlsafe(32)
    tx = Transaction()
    if purpose is Purpose.EMAIL_CHANGE:
        pending = requests.find(user.tenant, user.id, purpose)
        if pending is None or pending.email != address:
            return None
        requests.complete(tx, user.tenant, user.id, pending, _hash(secret))
    else:
        now = clock.now()
        requests.put(tx, user.tenant, user.id, Request(purpose, address, now, now + purpose.life, _hash(secret)))
    return secret if tx.try_commit() else None


def _hash(secret: str) -> str:
    # Secrets are long and random, so a plain hash is safe and can be looked up.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def reset_link(email: str) -> str:
    """A link for setting a new password; only the secret if the server's address is not known. For the admin.

    Raises:
        NotFound: nobody has this address.
    """
    user = find_user(email)
    if user is None:
        raise NotFound("user not found")
    secret = _new_secret(user, Purpose.PASSWORD_RESET, user.email) or ""
    return mail_texts.link(Purpose.PASSWORD_RESET, secret) or secret


@retried
def complete_reset(secret: str, password: str) -> None:
    """Set the password of the user to whom the secret was mailed. All tokens of that user end.

    An invitation also verifies the address, and ends when its user signs in in another way.

    Raises:
        BadRequest: the secret or the password is not valid.
    """
    invited = requests.find_secret(_hash(secret), Purpose.INVITATION) is not None
    user, request = _redeem(secret, Purpose.INVITATION if invited else Purpose.PASSWORD_RESET, BadRequest)
    if invited and not is_invited(user):
        raise BadRequest(_NOT_GOOD)
    try:
        rules.check_password(password, user.email)
    except Unprocessable as error:
        raise BadRequest(error.text) from error
    with acting_as(user):
        commit_change(user, rules.Change(None, password, own=True), keep_token=None, used=request)
    if not invited:
        _tell("password", user.email)


@retried
def complete_verification(secret: str) -> None:
    """Mark the address of a user as verified.

    Raises:
        BadRequest: the secret is not valid (any more).
        Gone: it has expired.
    """
    user, request = _redeem(secret, Purpose.VERIFY_EMAIL, Gone)
    with acting_as(user):
        _verify(user, request)


@retried
def verify(email: str) -> User:
    """Mark an address as verified without a mail; for the admin only.

    Raises:
        NotFound: nobody has this address.
    """
    user = find_user(email)
    if user is None:
        raise NotFound("user not found")
    if not user.verified:
        _verify(user, None)
    return user


def _verify(user: User, request: Request | None) -> None:
    tx = Transaction()
    users.set_verified(tx, user, clock.now())
    if request is not None:
        requests.use(tx, user.tenant, user.id, request)
    _record(tx, user, "The e-mail address was verified")
    tx.commit()


def pending_change(tenant: TenantId, user_id: str) -> Request | None:
    """The pending change of the user's address."""
    found = requests.find(tenant, user_id, Purpose.EMAIL_CHANGE)
    return found if found is not None and found.until > clock.now() else None


def start_change(tenant: TenantId, user_id: str, email: str, current_password: str) -> None:
    """Start changing the user's address: a secret is mailed to the new one, unless it is taken.

    Raises:
        BadRequest: it is not an address, or the user has it already.
        NotFound: the user was deleted.
        Unprocessable: ``current_password`` is not the user's.
        Conflict: another change is pending.
        TooManyRequests: the limit of mails to the new address, or of wrong passwords, is reached.
    """
    address = rules.email(email)
    user = get_user(tenant, user_id)
    failed_attempts.check_password(user, current_password)
    if address == user.email:
        raise BadRequest("email: this is already the user's address")
    _count(address, user_id)
    now = clock.now()
    tx = Transaction()
    request = Request(Purpose.EMAIL_CHANGE, address, now, now + Purpose.EMAIL_CHANGE.life)
    requests.put_first(tx, tenant, user_id, request)
    _record(tx, user, f"A change of the e-mail address to {address} was asked for")
    try:
        tx.commit()
    except ConditionFailed as failed:
        raise Conflict("an email change request already exists") from failed
    _order(Order(Purpose.EMAIL_CHANGE, address, user_id, tenant))


@retried
def complete_change(secret: str) -> None:
    """Give the user the address to which the secret was mailed, as verified. All tokens of that user end.

    Raises:
        BadRequest: the secret is not valid (any more).
        Conflict: the address was taken meanwhile.
    """
    user, request = _redeem(secret, Purpose.EMAIL_CHANGE, BadRequest)
    try:
        with acting_as(user):
            commit_change(user, rules.Change(request.email, None, own=True), keep_token=None, used=request)
    except Unprocessable as error:
        raise Conflict(error.text) from error
    _tell("e-mail address", user.email)


def cancel_change(tenant: TenantId, user_id: str) -> None:
    """Cancel a pending change of the user's address, if there is one."""
    if pending_change(tenant, user_id) is None:
        return
    tx = Transaction()
    requests.delete(tx, tenant, user_id, Purpose.EMAIL_CHANGE)
    _record(tx, get_user(tenant, user_id), "The change of the e-mail address was withdrawn")
    tx.commit()


def _redeem(secret: str, purpose: Purpose, expired: type[DomainError]) -> tuple[User, Request]:
    """The user and the request of a secret.

    Raises:
        BadRequest: it is not valid: unknown, used, replaced by a newer one, or the account has changed.
        DomainError: it has ``expired``.
    """
    hashed = _hash(secret)
    found = requests.find_secret(hashed, purpose)
    if found is None:
        raise BadRequest(_NOT_GOOD)
    user, request = users.find(*found), requests.find(*found, purpose)
    if user is None or request is None or request.secret != hashed or not control.get(user.tenant).active:
        raise BadRequest(_NOT_GOOD)
    if purpose is not Purpose.EMAIL_CHANGE and request.email != user.email:
        raise BadRequest(_NOT_GOOD)
    if request.until <= clock.now():
        raise expired(_EXPIRED)
    return user, request


def _record(tx: Transaction, user: User, change: str) -> None:
    auditlogs.record(tx, user.tenant, auditlogs.Action.UPDATE, about(user), change=change)


def _tell(what: str, address: str) -> None:
    try:
        mail.send(mail_texts.changed(what, address))
    except Unavailable:
        logger.warning("mail about a change of the account could not be sent")
