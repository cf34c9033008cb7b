"""The functions and stages: size, time, and what each may do. ``make docs`` writes ``.chalice`` from it.

Chalice makes a role for each function; what is not granted here is refused.
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
"""The table whose entries nobody may change or delete."""
CHANGEABLE: Final = tuple(table for table in TABLES if table != AUDIT)

RUNTIME: Final = "python3.13"
"""The Python that the functions run on, whichever ``.venv`` has: what Lambda has longest among those that are known."""

ALIAS: Final = "live"
"""The alias of each function that everything calls. It leads to a published version: one code with its layer and
settings."""


def logs(level: str) -> dict[str, str]:
    """How functions log whose setting ``log_level`` is this; empty, as it comes.

    Lambda writes no START, END and REPORT lines at system level WARN, which cost more than all of ours. It drops what
    is below its application level, so DEBUG has to be said there too. More than INFO is left to the app: Lambda takes
    lines without a level for INFO, and those are the ones that metrics are made from.
    """
    application = "DEBUG" if level.upper() == "DEBUG" else "INFO"
    return {"LogFormat": "JSON", "SystemLogLevel": "WARN", "ApplicationLogLevel": application}


CORE: Final = 1769
"""Megabytes of memory that come with one whole processor; less comes with as much less of one."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What may be done with objects of the bucket whose key begins ``<tenant>/<kind>/``."""

    kinds: tuple[str, ...] = ("*",)
    read: bool = False
    write: bool = False
    delete: bool = False
    list: bool = False
    """Whether everything in the bucket may be listed."""
    parts: bool = False
    """Whether parts that were written by links may be listed and put together."""


@dataclass(frozen=True, slots=True)
class Note:
    """Attributes that may be changed in the items of a table, and no other."""

    table: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """One function. ``name`` is Chalice's."""

    name: str
    memory: int
    timeout: int
    why: str
    """Of memory and time."""
    reads: tuple[str, ...] = ()
    """Tables."""
    writes: tuple[str, ...] = ()
    """Tables that are read, too."""
    notes: tuple[Note, ...] = ()
    audits: bool = False
    """Whether it adds audit entries."""
    objects: tuple[Objects, ...] = ()
    takes: Queue | None = None
    """The queue whose messages it handles."""
    sends: tuple[Queue, ...] = ()
    keys: tuple[str, ...] = ()
    """Parameters below ``/lamplighter/<stage>/``."""
    mails: bool = False
    pushes: bool = False
    """Whether it sends to websockets, or closes them."""
    timer: bool = False
    """Whether it is run by the clock."""


@dataclass(frozen=True, slots=True)
class Step:
    """A share of all calls that a new release gets for a while, before it gets more."""

    percent: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """What API Gateway lets through to an API; it answers more with 429."""

    rate: int
    """Calls a second in the long run."""
    burst: int
    """Calls at once."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage."""

    name: str
    architecture: str = "arm64"  # a fifth cheaper than x86_64 at the same speed or better
    log_days: int = 14
    runtime: str = RUNTIME
    """Lambda's name of the functions' Python; empty, that of the Python that deploys."""
    steps: tuple[Step, ...] = ()
    """How a release comes into service; empty, at once."""
    own_bucket: str = ""
    """Name of the bucket, if it is to have another than ``lamplighter-STAGE-ACCOUNT-REGION``."""
    tables: str = ""
    """What the names of the tables begin with, if not ``lamplighter-<stage>-``: restored ones (docs/operations.md)."""
    partition: str = "aws"
    """AWS's partition: ``aws-cn`` in China, ``aws-us-gov`` in GovCloud."""
    settings: dict[str, str] = field(default_factory=dict)
    """Further variables of the functions: any of ``chalicelib/settings.py``."""
    throttle: Throttle = Throttle(rate=5_000, burst=5_000)
    """Of the REST API: half of what an account may have, and three times what three million devices need that poll each
    half hour (docs/install.md)."""
    websocket_throttle: Throttle = Throttle(rate=2_000, burst=2_000)
    """Of the WebSocket API: connections and messages."""
    access_logs: bool = False
    """Whether API Gateway logs each call of both APIs. The account needs a role for that (docs/install.md)."""
    tracing: bool = False
    """Whether functions and the REST API send traces to AWS X-Ray."""
    reserved: dict[str, int] = field(default_factory=dict)
    """Reserved concurrency by function: what it may use at most, and is kept free for it (docs/install.md)."""

    @property
    def bucket(self) -> str:
        """Name of the bucket in the configuration; ``make deploy`` puts the real one in its place."""
        return self.own_bucket or f"lamplighter-{self.name}-artifacts"

    @property
    def table_prefix(self) -> str:
        """What the names of the tables begin with."""
        return self.tables or f"lamplighter-{self.name}-"


FUNCTIONS: Final = (
    Function(
        "api_handler",
        memory=1024,
        timeout=29,
        why="People and devices wait for it, and a cold start is all processor. API Gateway waits for 29 s.",
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
        why="Waits for DynamoDB; the rows of a device that has seen thousands of deployments take minutes.",
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
        audits=True,  # the end of a terminal that was open on the device
        objects=(Objects(("recordings",), write=True),),
        takes=Queue.DECOMMISSIONS,
        sends=(Queue.DELIVERIES,),
        pushes=True,
    ),
    Function(
        "deliveries",
        memory=512,
        timeout=90,
        why="Waits for servers of others, at most 20 s each; the memory is for several at once.",
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
        why="Waits for a mail server, which gets 20 s for each answer.",
        reads=("fleet", "inventory"),
        writes=("devicemonitor", "useradm"),  # how many mails a device has caused; tokens of links in mails
        takes=Queue.MAILS,
        sends=(Queue.MAILS,),
        keys=("mail-server",),
        mails=True,
    ),
    Function(
        "removals",
        memory=512,
        timeout=900,
        why="Erases all that a tenant had, as far as Lambda's longest time carries; the schedule sends the rest again.",
        writes=CHANGEABLE,
        objects=(Objects(delete=True, list=True),),
        takes=Queue.REMOVALS,
    ),
    Function(
        "snapshots",
        memory=CORE,
        timeout=300,
        why="Packs the inventory of a whole tenant: processor and memory. 5 min is the lease of a build.",
        reads=("fleet",),
        writes=("inventory",),
        objects=(Objects(("snapshots",), read=True, write=True, delete=True),),
        takes=Queue.SNAPSHOTS,
    ),
    Function(
        "tick",
        memory=512,
        timeout=120,
        why="Works off at most a hundred things of each kind; what it does not get to is due a minute later.",
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
        sends=(Queue.DELIVERIES, Queue.MAILS, Queue.REMOVALS, Queue.SNAPSHOTS),
        pushes=True,
        timer=True,
    ),
    Function(
        "uploads",
        memory=CORE,
        timeout=300,
        why="Reads and checks every byte: a whole processor, which 10 GiB in 5 min need (36 MB a second).",
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
        why="Checks a token and writes one item. API Gateway waits for 29 s.",
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
        why="Packs the recording of a session, 8 MiB at most; nobody waits for it.",
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
        why="Every key press passes through it: its time is what a terminal feels like. API Gateway waits for 29 s.",
        reads=("fleet", "roles", "useradm"),  # a session ends with the right to it
        writes=("auditchains", "deviceconnect"),
        notes=(Note("useradm", ("used",)),),
        audits=True,
        objects=(Objects(("recordings",), write=True),),
        pushes=True,
    ),
)


def deployed_name(function: Function, stage: str) -> str:
    """The name of a function on AWS."""
    return f"lamplighter-{stage}" + ("" if function.name == "api_handler" else f"-{function.name}")


def default_bucket(stage: str, account: str, region: str) -> str:
    """The name of a new stage's bucket: names are unique among all of AWS, so account and region are in it."""
    return f"lamplighter-{stage}-{account}-{region}"


STAGES: Final = (
    Stage("dev"),
    Stage("prod", log_days=90, steps=(Step(10, 300), Step(50, 300))),
    # The embedded engine runs functions on this machine's processor and Python; `make deploy` says which those are.
    Stage("local-aws", architecture="x86_64", runtime="", log_days=1),
)


def stage_of(name: str) -> Stage:
    """The stage of this name; one with nothing but defaults where the table has none."""
    return next((each for each in STAGES if each.name == name), Stage(name))
