"""Settings, read once from the environment. The only module that looks at ``os.environ``."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args, get_origin

import msgspec

from chalicelib import limits

if TYPE_CHECKING:
    from collections.abc import Callable


class Settings(msgspec.Struct, frozen=True):
    """One field per setting. Its variable is ``LAMPLIGHTER_<FIELD>`` in upper case. Times are in seconds."""

    stage: str = "local"
    """Name of the deployment stage; also the default part of resource names."""
    table_prefix: str = "lamplighter-local-"
    """Prefix of the names of tables."""
    queue_prefix: str = "lamplighter-local-"
    """Prefix of the names of queues."""
    bucket: str = "lamplighter-local-artifacts"
    """The bucket for artifacts, uploads, target lists, deployment logs and recordings. Keys begin with the tenant."""
    bucket_owner: str = ""
    """The AWS account that must own the bucket: S3 refuses all requests if it does not. ``make deploy`` sets it; empty:
    any account."""
    public_url: str = ""
    """The server's address for devices, ``https://host``, used in links to the server itself."""
    edge_secret: str = ""
    """The secret that ``infra/templates/edge.yaml`` sends, so that its information about the caller's address is
    trusted. Empty: the parameter ``edge-secret`` (``aws.private_settings``). Without either, nobody is trusted, and
    behind an edge all callers have its address."""
    s3_links: Literal["path", "virtual", "dualstack", "accelerate", "accelerate-dualstack"] = "path"
    """Form of the bucket's address in links; ``dualstack`` also supports IPv6 (``aws.links``)."""
    downloads_url: str = ""
    """``https://host`` of a CloudFront distribution for downloads of artifacts; empty: downloads from the bucket."""
    downloads_key_id: str = ""
    """CloudFront's id of the public key for these links."""
    s3_public_url: str = ""
    """The bucket's address for devices; empty: the regional endpoint of S3."""
    default_tenant: str = ""
    """Tenant of devices without a tenant token; empty: such devices are refused (401)."""
    control_cache: float = 5.0
    """How long a process caches a tenant's control item. 0: it is read at every call."""
    control_stale: float = 60.0
    """How much longer it is used while it cannot be read. 0: not at all, and calls get a 503."""
    key_cache: float = 300.0
    """How long a process caches the server's secrets: signing keys, keys of the vault."""
    key_stale: float = 3_600.0
    """How much longer they are used while Parameter Store does not answer. 0: not at all."""
    device_token_life: int = 604_800
    """Lifetime of a device token (7 days, as in Mender)."""
    user_token_life: int = 604_800
    """Lifetime of a session token."""
    check_in_interval: int = 86_400
    """Minimum time between two updates of a device's ``check_in_time`` (a day, as in Mender)."""
    login_attempts: int = 10
    """Failed logins for one account from one address in ``login_window`` before 429."""
    login_window: int = 300
    """The window of ``login_attempts``."""
    ui_url: str = ""
    """Where people reach the web UI, ``https://host/ui``, for links in mails; empty: ``/ui`` below ``public_url``."""
    websocket_url: str = ""
    """Where browsers open websockets, ``wss://host/path``; empty: at ``/websockets`` of the edge or of one machine, and
    without an edge at the WebSocket API that the device is connected to."""
    mail_from: str = ""
    """Sender of mails, ``Lamplighter <noreply@example.com>``; empty: none are sent."""
    mail_server: str = ""
    """SMTP server: ``smtp://[user:password@]host[:587]`` (requires STARTTLS), ``smtps://`` (TLS from the beginning), or
    ``smtp+plain://`` (no TLS: a relay on this machine). Special characters are percent-encoded, as in URLs. Empty: the
    parameter ``mail-server``, or Amazon SES without it."""
    device_link_life: int = 86_400
    """Lifetime of a device's link to an artifact (24 h). It ends earlier with the role's session, unless downloads go
    through CloudFront (``downloads_url``)."""
    download_link_life: int = 900
    """Lifetime of an operator's download link (15 min)."""
    configuration_link_life: int = 900
    """Lifetime of a device's link to a configuration (15 min)."""
    upload_link_life: int = 3_600
    """Lifetime of a direct-upload link (1 h)."""
    outbound_ports: str = "80,443"
    """Ports of servers named by tenants (webhooks, identity providers) that may be called."""
    outbound_networks: str = ""
    """Private networks in which such servers may be, as ``127.0.0.0/8,10.1.0.0/16``; empty: none. Users who can name a
    server can then reach everything there that this server can."""
    audit_days: int = 365
    """Days for which audit entries are kept, unless the tenant has its own setting."""
    device_rate: int = 0
    """Calls per minute of one device before 429; 0: no limit. 30 suits Mender's clients."""
    user_rate: int = 0
    """The same for one user; 300 suits a UI."""
    tenant_rate: int = 0
    """The same for all devices and users of one tenant together. Each process counts separately."""
    new_devices: int = limits.NEW_DEVICES
    """New devices of a tenant from one network (IPv4 /24, IPv6 /48) in an hour before 429. 0: no limit."""
    pending_devices: int = limits.PENDING_DEVICES
    """Pending devices of a tenant without its own setting. Beyond it, a new device replaces the oldest one that was
    never accepted and has fallen silent; if there is none, the new device gets a 401 like any other that is not
    accepted."""
    signup: bool = False
    """Whether anybody may sign up for a tenant on trial (``true`` or ``false``)."""
    trial_days: int = 30
    """Days of a trial; then the tenant is suspended."""
    trial_devices: int = 10
    """Limit of accepted devices of each tier on trial."""
    removal_grace: int = 604_800
    """Time between the cancellation of a tenant and the erasure of its data, in which an admin can undo it."""
    removal_settle: int = 600
    """Time from a tenant's removal to its last pass: longer than any earlier call or worker can run."""
    metrics: bool = True
    """Whether calls write metrics for CloudWatch (``true`` or ``false``): about 19 metrics per stage."""
    log_level: str = "INFO"
    """Lowest log level. Calls without effect write no line at levels above DEBUG."""


@cache
def current() -> Settings:
    """The settings of this process, read at the first call.

    Raises:
        ValueError: the value of a variable is not valid.
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
    """Settings from AWS's own variables."""

    region: str
    endpoint_url: str | None
    domain: str
    """The domain of AWS's services in this partition."""
    on_lambda: bool
    """Whether this process is a Lambda function, which should load no more than its call needs."""
    snap_start: bool = False
    """Whether Lambda makes a snapshot of this process, or has restored it from one (``chalicelib.snapstart``)."""
    keys: tuple[str, str, str | None] | None = None
    """The credentials that Lambda passes: access key, secret key, session token. None elsewhere, and in a snapshot,
    in which they would expire."""
    ca_bundle: str | None = None
    """The file with the certificates to trust; None: the system's."""


@cache
def aws() -> AwsSettings:
    """Region and, for an embedded engine, the endpoint that replaces every AWS endpoint."""
    on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    snap_start = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return AwsSettings(
        region=region,
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
        domain="amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com",
        on_lambda=on_lambda,
        snap_start=snap_start,
        keys=(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
        if on_lambda and not snap_start and access_key and secret_key
        else None,
        ca_bundle=os.environ.get("AWS_CA_BUNDLE"),
    )
