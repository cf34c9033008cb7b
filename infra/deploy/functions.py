"""The functions and stages: memory, timeout, and permissions. ``make docs`` generates ``.chalice`` from it.

Chalice creates a role for each function; permissions not granted here are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from chalicelib.aws.queues import Queue
from infra.local.provision import STORAGE
from infra.local.template import Template

_PREFIX: Final = "lamplighter-stage-"
TABLES: Final = tuple(
    sorted(
        about["TableName"].removeprefix(_PREFIX)
        for _, about in Template(STORAGE, {"Stage": "stage"}, "us-east-1").resources("AWS::DynamoDB::Table")
    )
)
AUDIT: Final = "auditlogs"
"""The table whose entries no function may change or delete."""
CHANGEABLE: Final = tuple(table for table in TABLES if table != AUDIT)

RUNTIME: Final = "python3.13"
"""The Python version of the functions, independent of ``.venv``: the tested one that Lambda supports longest."""

API: Final = "api_handler"
"""The function that answers the REST API, by its name in Chalice."""

ALIAS: Final = "live"
"""The alias of each function that all callers use. It points to a published version: code, layer and settings."""


def logs(level: str) -> dict[str, str]:
    """Lambda's log configuration for a value of the setting ``log_level``; empty: the default.

    At system level WARN, Lambda writes no START, END and REPORT lines, which cost more than all others. It drops lines
    below its application level, so DEBUG has to be set there too. Levels above INFO are left to the app: Lambda takes
    lines without a level for INFO, and metrics are extracted from those.
    """
    application = "DEBUG" if level.upper() == "DEBUG" else "INFO"
    return {"LogFormat": "JSON", "SystemLogLevel": "WARN", "ApplicationLogLevel": application}


CORE: Final = 1769
"""Megabytes of memory for which Lambda gives one full CPU; less memory means a smaller share."""


@dataclass(frozen=True, slots=True)
class Objects:
    """Allowed operations on objects with the key prefix ``<tenant>/<kind>/``."""

    kinds: tuple[str, ...] = ("*",)
    read: bool = False
    write: bool = False
    delete: bool = False
    list: bool = False
    """Whether the whole bucket may be listed."""
    parts: bool = False
    """Whether multipart uploads through links may be listed and completed."""


@dataclass(frozen=True, slots=True)
class Note:
    """The only attributes of a table's items that may be changed."""

    table: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """One function. ``name`` is its name in Chalice."""

    name: str
    memory: int
    timeout: int
    why: str
    """The reason for memory and timeout."""
    reads: tuple[str, ...] = ()
    """Tables that are written."""
    writes: tuple[str, ...] = ()
    """Tables that are only read."""
    notes: tuple[Note, ...] = ()
    audits: bool = False
    """Whether it writes audit entries."""
    objects: tuple[Objects, ...] = ()
    takes: Queue | None = None
    """The queue whose messages it handles."""
    sends: tuple[Queue, ...] = ()
    keys: tuple[str, ...] = ()
    """Parameters below ``/lamplighter/<stage>/``."""
    mails: bool = False
    pushes: bool = False
    """Whether it sends messages to websockets or closes them."""
    timer: bool = False
    """Whether it runs on a schedule."""


@dataclass(frozen=True, slots=True)
class Step:
    """A share of all calls that a new release gets for a while."""

    percent: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """API Gateway's rate limit for an API; calls above it get 429."""

    rate: int
    """Steady calls per second."""
    burst: int
    """Burst of calls."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage."""

    name: str
    architecture: str = "arm64"  # 20 % cheaper than x86_64, and at least as fast
    log_days: int = 14
    runtime: str = RUNTIME
    """Lambda's name of the functions' Python; empty: that of the deploying Python."""
    steps: tuple[Step, ...] = ()
    """The steps in which a release is put into service; empty: at once."""
    own_bucket: str = ""
    """Name of the bucket, if it is not ``lamplighter-STAGE-ACCOUNT-REGION``."""
    tables: str = ""
    """Prefix of table names, if not ``lamplighter-<stage>-``, for restored tables (docs/operations.md)."""
    partition: str = "aws"
    """AWS's partition: ``aws-cn`` in China, ``aws-us-gov`` in GovCloud."""
    settings: dict[str, str] = field(default_factory=dict)
    """Further variables of the functions: any of ``chalicelib/settings.py``."""
    throttle: Throttle = Throttle(rate=5_000, burst=5_000)
    """The REST API's rate limit: half of an account's quota, and three times the load of three million devices that
    poll every half hour (docs/install.md)."""
    websocket_throttle: Throttle = Throttle(rate=2_000, burst=2_000)
    """The WebSocket API's rate limit, for connections and messages."""
    access_logs: bool = False
    """Whether API Gateway logs each call of both APIs. The account needs a role for that (docs/install.md)."""
    tracing: bool = False
    """Whether functions and the REST API send traces to AWS X-Ray."""
    snap_start: bool = False
    """Whether ``api_handler`` starts from a snapshot (SnapStart): faster cold starts, for about $4 a month for each
    kept release. It needs Python 3.12 or newer (docs/install.md)."""
    reserved: dict[str, int] = field(default_factory=dict)
    """Reserved concurrency by function: both its maximum and its guaranteed share (docs/install.md)."""

    @property
    def bucket(self) -> str:
        """Name of the bucket in the configuration; ``make deploy`` puts the real one in its place."""
        return self.own_bucket or f"lamplighter-{self.name}-artifacts"

    @property
    def table_prefix(self) -> str:
        """The prefix of table names."""
        return self.tables or f"lamplighter-{self.name}-"


FUNCTIONS: Final = (
    Function(
        API,
        memory=1024,
        timeout=29,
        why="Users and devices wait for it, and a cold start needs CPU. API Gateway's timeout is 29 s.",
        reads=(AUDIT,),
        writes=CHANGEABLE,
        audits=True,
        objects=(Objects(read=True, write=True, delete=True, parts=True),),
        sends=tuple(queue for queue in Queue if queue is not Queue.SNAPSHOTS),
        keys=("download-key", "edge-secret", "link-secret", "signing-keys", "vault-keys"),
        pushes=True,
    ),
    Function(
        "decommissions",
        memory=512,
        timeout=300,
        why="Mostly waits for DynamoDB; deleting the rows of a device with thousands of deployments takes minutes.",
        writes=(
            "artifacts",
            "auditchains",
            "deployments",
            "devauth",
            "deviceconfig",
            "deviceconnect",
            "devicemonitor",
            "fleet",
            "integrations",
            "inventory",
        ),
        audits=True,  # ends terminals that are open on the device
        objects=(Objects(("recordings",), write=True),),
        takes=Queue.DECOMMISSIONS,
        sends=(Queue.DELIVERIES,),
        pushes=True,
    ),
    Function(
        "deliveries",
        memory=512,
        timeout=90,
        why="Waits for customers' servers, at most 20 s each; the memory is for several deliveries at once.",
        reads=("fleet",),
        writes=("integrations",),
        takes=Queue.DELIVERIES,
        sends=(Queue.DELIVERIES,),
        keys=("vault-keys",),
    ),
    Function(
        "mails",
        memory=256,
        timeout=60,
        why="Waits for a mail server, with a timeout of 20 s for each answer.",
        reads=("artifacts", "deployments", "fleet", "inventory", "roles"),
        writes=("devicemonitor", "useradm"),  # counts of mails caused by a device; tokens of links in mails
        objects=(Objects(("targets",), read=True),),  # of a deployment, to see who may approve it
        takes=Queue.MAILS,
        sends=(Queue.MAILS,),
        keys=("mail-server",),
        mails=True,
    ),
    Function(
        "preparations",
        memory=512,
        timeout=900,
        why="Lists the devices of a large deployment, a million in minutes. The schedule sends lost messages again.",
        reads=("tenantadm",),  # the version of the stored data
        writes=("artifacts", "deployments", "fleet", "integrations"),
        objects=(Objects(("targets",), read=True, write=True, delete=True),),
        takes=Queue.PREPARATIONS,
        sends=(Queue.DELIVERIES,),
    ),
    Function(
        "removals",
        memory=512,
        timeout=900,
        why="Erases a tenant's data within Lambda's maximum timeout; the schedule sends unfinished erasures again.",
        writes=CHANGEABLE,
        objects=(Objects(delete=True, list=True),),
        takes=Queue.REMOVALS,
    ),
    Function(
        "snapshots",
        memory=CORE,
        timeout=300,
        why="Builds the inventory snapshot of a whole tenant, which needs CPU and memory. A build's lease is 5 min.",
        reads=("fleet", "tenantadm"),
        writes=("inventory",),
        notes=(Note("fleet", ("parts", "parts_from")),),  # when a tenant becomes large
        objects=(Objects(("snapshots",), read=True, write=True, delete=True),),
        takes=Queue.SNAPSHOTS,
    ),
    Function(
        "tick",
        memory=512,
        timeout=120,
        why="Handles at most a hundred items of each kind; the rest is handled a minute later.",
        reads=("inventory",),
        writes=(
            "artifacts",
            "auditchains",
            "deployments",
            "deviceconnect",
            "devicemonitor",  # digests of alerts
            "fleet",
            "integrations",
            "tenantadm",
        ),
        audits=True,
        objects=(Objects(("artifacts",), read=True, delete=True), Objects(("recordings",), write=True)),
        sends=(Queue.DELIVERIES, Queue.MAILS, Queue.PREPARATIONS, Queue.REMOVALS, Queue.SNAPSHOTS),
        pushes=True,
        timer=True,
    ),
    Function(
        "uploads",
        memory=CORE,
        timeout=300,
        why="Reads and verifies every byte; 10 GiB in 5 min (36 MB/s) need a full CPU.",
        reads=("fleet",),
        writes=("artifacts", "auditchains"),
        audits=True,
        objects=(Objects(("artifacts",), read=True, delete=True, parts=True),),
        takes=Queue.UPLOADS,
    ),
    Function(
        "websocket_connect",
        memory=512,
        timeout=29,
        why="Checks a token and writes one item. API Gateway's timeout is 29 s.",
        reads=("fleet", "roles", "useradm"),
        writes=("deviceconnect",),
        notes=(Note("useradm", ("used",)),),  # when a personal access token was last used
        keys=("signing-keys",),
        pushes=True,
    ),
    Function(
        "websocket_disconnect",
        memory=512,
        timeout=60,
        why="Packs the recording of a session, 8 MiB at most; no caller waits for it.",
        reads=("fleet",),
        writes=("auditchains", "deviceconnect"),
        audits=True,
        objects=(Objects(("recordings",), write=True),),
        pushes=True,
    ),
    Function(
        "websocket_message",
        memory=1024,
        timeout=29,
        why="Every key press passes through it, so it determines a terminal's latency. API Gateway's timeout is 29 s.",
        reads=("fleet", "roles", "useradm"),  # a session is ended when its user loses the permission
        writes=("auditchains", "deviceconnect"),
        notes=(Note("useradm", ("used",)),),
        audits=True,
        objects=(Objects(("recordings",), write=True),),
        pushes=True,
    ),
)


def snap_start(function: str, stage: Stage) -> dict[str, str]:
    """Lambda's SnapStart configuration of a function. Nobody waits for the workers' cold starts."""
    return {"ApplyOn": "PublishedVersions" if stage.snap_start and function == API else "None"}


def deployed_name(function: Function, stage: str) -> str:
    """The name of a function on AWS."""
    return f"lamplighter-{stage}" + ("" if function.name == API else f"-{function.name}")


def default_bucket(stage: str, account: str, region: str) -> str:
    """The name of a new stage's bucket: names are unique in all of AWS, so it contains account and region."""
    return f"lamplighter-{stage}-{account}-{region}"


STAGES: Final = (
    Stage("dev"),
    Stage("prod", log_days=90, steps=(Step(10, 300), Step(50, 300))),
    # The embedded engine runs functions with this machine's CPU and Python, which `make deploy` determines.
    Stage("local-aws", architecture="x86_64", runtime="", log_days=1),
)


def stage_of(name: str) -> Stage:
    """The stage of this name; one with default values if it is not listed."""
    return next((each for each in STAGES if each.name == name), Stage(name))
