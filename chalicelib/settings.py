"""Settings, read once from the environment. The only module that looks at ``os.environ``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Literal, get_args, get_origin

import msgspec

from chalicelib import limits


class Settings(msgspec.Struct, frozen=True):
    """One field a setting; its variable is ``LAMPLIGHTER_<FIELD>`` in upper case. Times are in seconds."""

    stage: str = "local"
    """Name of the deployment stage; also the default part of resource names."""
    table_prefix: str = "lamplighter-local-"
    """Put before the name of every table."""
    queue_prefix: str = "lamplighter-local-"
    """Put before the name of every queue."""
    bucket: str = "lamplighter-local-artifacts"
    """The one bucket: artifacts, uploads, target lists, deployment logs. Keys begin with the tenant."""
    bucket_owner: str = ""
    """The AWS account that the bucket has to belong to: S3 refuses every request where it does not. ``make deploy``
    sets it; empty: any account."""
    public_url: str = ""
    """Where devices reach the server, ``https://host``, for links that the server itself answers."""
    edge_secret: str = ""
    """What ``infra/templates/edge.yaml`` sends along, so that its word on the caller's address is taken. Empty: as the
    parameter ``edge-secret`` says (``aws.private_settings``); without one nobody's word is taken, and behind an edge
    all callers have its address."""
    s3_links: Literal["path", "virtual", "dualstack", "accelerate", "accelerate-dualstack"] = "path"
    """Form of the bucket's address in links; ``dualstack`` is reached by IPv6 as well (``aws.links``)."""
    downloads_url: str = ""
    """``https://host`` of a CloudFront distribution through which artifacts are downloaded; empty: from the bucket."""
    downloads_key_id: str = ""
    """CloudFront's id of the public key that verifies those links."""
    s3_public_url: str = ""
    """Where devices reach the bucket; empty: the regional endpoint of S3."""
    default_tenant: str = ""
    """Tenant of devices that send no tenant token; empty: such devices are refused (401)."""
    control_cache: float = 5.0
    """How long a warm process trusts its copy of a tenant's control item. 0 reads it at every call."""
    control_stale: float = 60.0
    """How much longer it does while the item can't be read. 0: not at all, calls are answered with 503."""
    key_cache: float = 300.0
    """How long a warm process trusts its copy of the server's own secrets: signing keys, keys of the vault."""
    key_stale: float = 3_600.0
    """How much longer it does while the parameter store does not answer. 0: not at all."""
    device_token_life: int = 604_800
    """Life of a device token (7 days, as Mender's)."""
    user_token_life: int = 604_800
    """Life of a user's session token."""
    check_in_interval: int = 86_400
    """``check_in_time`` of a device is written at most once in this time (a day, as Mender does)."""
    login_attempts: int = 10
    """Failed logins of one user from one address before 429, in ``login_window``."""
    login_window: int = 300
    """The window of ``login_attempts``."""
    ui_url: str = ""
    """Where people reach the web UI, ``https://host/ui``, for links in mails; empty: ``/ui`` below ``public_url``."""
    mail_from: str = ""
    """Sender of mails, ``Lamplighter <noreply@example.com>``; empty: none are sent."""
    mail_server: str = ""
    """SMTP server: ``smtp://[user:password@]host[:587]`` (STARTTLS is demanded), ``smtps://`` (TLS from the start), or
    ``smtp+plain://`` (no TLS: a relay on this machine); a ``%`` and what else is special in them as in URLs. Empty:
    as the parameter ``mail-server`` says; without one Amazon SES sends."""
    device_link_life: int = 86_400
    """Life of the link that a device gets with an update (24 h); it ends earlier with the role's session, unless
    downloads go through CloudFront (``downloads_url``)."""
    download_link_life: int = 900
    """Life of the link that an operator gets (15 min)."""
    configuration_link_life: int = 900
    """Life of the link that a device gets with a configuration (15 min)."""
    upload_link_life: int = 3_600
    """Life of a direct-upload link (1 h)."""
    outbound_ports: str = "80,443"
    """Ports that servers named by a tenant (webhooks, identity providers) may be called on."""
    outbound_networks: str = ""
    """Networks beyond the public internet that such servers may be in, as ``127.0.0.0/8,10.1.0.0/16``; empty: none.
    Whoever may name a server can then reach everything in there that this server can."""
    audit_days: int = 365
    """Days that an audit entry is kept, where the tenant has not set its own."""
    device_rate: int = 0
    """Calls a minute of one device before it gets 429; 0: any number. 30 suits Mender's clients."""
    user_rate: int = 0
    """The same for one user; 300 suits a UI."""
    tenant_rate: int = 0
    """The same for all devices and users of one tenant together. All three are counted by each process for itself."""
    new_devices: int = limits.NEW_DEVICES
    """New devices of one tenant from one network (IPv4 /24, IPv6 /48) in an hour; more get 429. 0: any number."""
    pending_devices: int = limits.PENDING_DEVICES
    """Pending devices of a tenant that has not set its own number. Beyond it a new device takes the place of the oldest
    that was never accepted and is no longer seen, or, if there is none, gets 401 as any other that is not accepted."""
    signup: bool = False
    """Whether strangers may make themselves a tenant on trial (``true`` or ``false``)."""
    trial_days: int = 30
    """How long a trial lasts; then the tenant is suspended."""
    trial_devices: int = 10
    """Most accepted devices of each tier on trial."""
    removal_grace: int = 604_800
    """Time between the cancellation of a tenant and the erasure of its data, in which an admin can take it back."""
    removal_settle: int = 600
    """Time from a tenant's removal to its last pass: longer than any call or worker that was let in before may run."""
    metrics: bool = True
    """Whether calls write what they counted for CloudWatch (``true`` or ``false``): some 19 metrics a stage."""
    log_level: str = "INFO"
    """Lowest level that is logged. Idle calls write no line at any level above DEBUG."""


@cache
def current() -> Settings:
    """The settings of this process, read at the first call.

    Raises:
        ValueError: a variable does not hold what its field needs.
    """
    converters: dict[type, Callable[[str], object]] = {bool: _switch, int: int, float: float}
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(Settings):
        raw = os.environ.get(f"LAMPLIGHTER_{field.name.upper()}")
        if raw is None:
            continue
        if get_origin(field.type) is Literal and raw not in get_args(field.type):
            known = ", ".join(get_args(field.type))
            raise ValueError(f"LAMPLIGHTER_{field.name.upper()} is {raw!r}; it must be one of {known}")
        values[field.name] = converters.get(field.type, str)(raw)
    return Settings(**values)  # type: ignore[arg-type]  # each value was converted by its field's type


def _switch(raw: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False, "": False}
    if raw.lower() not in known:
        raise ValueError(f"{raw} is neither true nor false")
    return known[raw.lower()]


class AwsSettings(msgspec.Struct, frozen=True):
    """Where AWS is, by AWS's own variables."""

    region: str
    endpoint_url: str | None
    domain: str
    """What the names of AWS's services end with in this partition."""
    on_lambda: bool
    """Whether this process is a Lambda function, which starts for one call and should load no more than it needs."""


@cache
def aws() -> AwsSettings:
    """Region and, for an embedded engine, the endpoint that replaces every AWS endpoint."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return AwsSettings(
        region=region,
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
        domain="amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com",
        on_lambda="AWS_LAMBDA_FUNCTION_NAME" in os.environ,
    )
