"""Tenants for other features: everything that they may import."""

from chalicelib.tenantadm.rules import Status
from chalicelib.tenantadm.service.assigning import assign, is_user_known, withdraw_users
from chalicelib.tenantadm.service.changes import get_tenant
from chalicelib.tenantadm.service.children import (
    child,
    create_child,
    set_child_status,
    update_child,
)
from chalicelib.tenantadm.service.children import listed as list_children
from chalicelib.tenantadm.service.lookup import tenant_by_token
from chalicelib.tenantadm.service.preferences import change as change_settings
from chalicelib.tenantadm.service.preferences import read as settings
from chalicelib.tenantadm.service.preferences import write as save_settings
from chalicelib.tenantadm.service.removal import (
    cancel,
    erase,
    remove_child,
    request_plan,
    start_removal,
    tick,
)
from chalicelib.tenantadm.service.signup import require_enabled as require_signup
from chalicelib.tenantadm.service.signup import sign_up
from chalicelib.tenantadm.service.tenants import (
    all_tenants,
    create_tenant,
    describe,
    rotate_token,
    set_limits,
    set_plan,
    set_service_provider,
    set_status,
    shown,
)
from chalicelib.tenantadm.tables import Tenant

__all__ = [
    "Status",
    "Tenant",
    "all_tenants",
    "assign",
    "cancel",
    "change_settings",
    "child",
    "create_child",
    "create_tenant",
    "describe",
    "erase",
    "get_tenant",
    "is_user_known",
    "list_children",
    "remove_child",
    "request_plan",
    "require_signup",
    "rotate_token",
    "save_settings",
    "set_child_status",
    "set_limits",
    "set_plan",
    "set_service_provider",
    "set_status",
    "settings",
    "shown",
    "sign_up",
    "start_removal",
    "tenant_by_token",
    "tick",
    "update_child",
    "withdraw_users",
]
