"""Users for other features: everything that they may import. Each topic has a module of its own.

Routes also use ``sessions`` (logins and tokens), ``preferences``, ``plans`` and ``sso``.
"""

from __future__ import annotations

from chalicelib.useradm.rules import OptionalMail, network
from chalicelib.useradm.service.access import require_session, rights_of
from chalicelib.useradm.service.assigning import assign
from chalicelib.useradm.service.mail_texts import console_url
from chalicelib.useradm.service.preferences import who_wants
from chalicelib.useradm.service.proving import prove
from chalicelib.useradm.service.sealing import seal_anew
from chalicelib.useradm.service.twofactor import disable as disable_tfa
from chalicelib.useradm.service.twofactor import enable as enable_tfa
from chalicelib.useradm.service.twofactor import qr as tfa_qr
from chalicelib.useradm.service.twofactor import renew_recovery_codes
from chalicelib.useradm.service.twofactor import reset as reset_tfa
from chalicelib.useradm.service.twofactor import verify as verify_tfa
from chalicelib.useradm.service.users import (
    TAKEN,
    add_user,
    caller,
    count_users,
    create_user,
    delete_user,
    draft_user,
    find_user,
    get_user,
    is_invited,
    list_users,
    set_password,
    set_roles,
    update_user,
)
from chalicelib.useradm.service.verification import (
    Order,
    admit_mail,
    ask_to_verify,
    cancel_change,
    complete_change,
    complete_reset,
    complete_verification,
    invite,
    invite_again,
    pending_change,
    reset_link,
    start,
    start_change,
    verify,
    write_mail,
)
from chalicelib.useradm.service.withdrawing import withdraw
from chalicelib.useradm.tables.erasure import erase
from chalicelib.useradm.tables.users import User

__all__ = [
    "TAKEN",
    "OptionalMail",
    "Order",
    "User",
    "add_user",
    "admit_mail",
    "ask_to_verify",
    "assign",
    "caller",
    "cancel_change",
    "complete_change",
    "complete_reset",
    "complete_verification",
    "console_url",
    "count_users",
    "create_user",
    "delete_user",
    "disable_tfa",
    "draft_user",
    "enable_tfa",
    "erase",
    "find_user",
    "get_user",
    "invite",
    "invite_again",
    "is_invited",
    "list_users",
    "network",
    "pending_change",
    "prove",
    "renew_recovery_codes",
    "require_session",
    "reset_link",
    "reset_tfa",
    "rights_of",
    "seal_anew",
    "set_password",
    "set_roles",
    "start",
    "start_change",
    "tfa_qr",
    "update_user",
    "verify",
    "verify_tfa",
    "who_wants",
    "withdraw",
    "write_mail",
]
