"""``python -m infra.local.run``: the whole server on this machine, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from infra import migrations
from infra.local import certs, environment, private, readable, websocket_api
from infra.local.engine.process import Engine, EngineError
from infra.local.first_run import FirstTenant, ensure_first_tenant
from infra.local.gateway import Gateway
from infra.local.provision import provision
from infra.local.s3_proxy import Bucket
from infra.local.server import PortBusyError, Server
from infra.local.testing import the_app
from infra.local.workers import Workers
from infra.relay.recordings import RestRecordings

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger("local")

WELCOME = """
Lamplighter serves {url}

  console   {console}
  user      {user}
  password  {password}

Or log in and call the API on the command line:
  TOKEN=$(curl -s --cacert {ca} -X POST -u '{user}:{secret}' {url}/api/management/v1/useradm/auth/login)
  curl -s --cacert {ca} -H "Authorization: Bearer $TOKEN" {url}/api/management/v2/devauth/devices

With mender-cli:
  SSL_CERT_FILE={ca} mender-cli login --server {url} --username '{user}' --password '{secret}'

Connect a device: copy {ca} to it, and put into its /etc/mender/mender.conf
  {{
    "ServerURL": "{url}",
    "ServerCertificate": "/etc/mender/lamplighter-ca.pem",
    "TenantToken": "{tenant_token}"
  }}

Everything is kept in {data}. Ctrl-C stops the server.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    host: str
    port: int
    names: list[str]
    data: Path
    threads: int


def main() -> None:
    """Serve until told to stop; exit with 1 and one clear line if it cannot start."""
    options = _options()
    os.umask(private.OTHERS)  # files of this process and its children are readable by their owner only
    readable.use()
    for chatty in ("botocore", "pynamodb", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with ExitStack() as running:
            _start(options, running).watch()
    except (EngineError, PortBusyError, private.OpenFolderError, migrations.NewerDataError) as error:
        sys.exit(f"lamplighter: {error}")
    except KeyboardInterrupt:
        log.info("stopped; all data is kept in %s", options.data)


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m infra.local.run", description="The whole server on this machine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8443, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="name or address at which devices reach this machine, for links and the certificate; the first "
        "one becomes part of the server's URL (localhost). May be repeated",
    )
    parser.add_argument("--data", type=Path, default=Path(".local"), help="folder for all data")
    parser.add_argument("--threads", type=int, default=16, help="requests handled at once (%(default)s)")
    given = parser.parse_args()
    return Options(given.host, given.port, given.name, given.data.resolve(), given.threads)


def _start(options: Options, running: ExitStack) -> Engine:
    """Start everything; ``running`` stops it in reverse order. Returns the engine, without which nothing works."""
    private.folder(options.data)
    tls = certs.ensure(options.data / "tls", options.names)
    # The port first, so that a conflict is reported before anything else is started.
    server = Server(options.host, options.port, tls)
    running.callback(server.stop)
    url = server.url(options.names[0] if options.names else "localhost")
    engine = running.enter_context(Engine(options.data / "engine"))
    running.enter_context(environment.applied(environment.of_app(engine, url)))
    provision()
    for migration, tenant, changed in migrations.store().migrate():
        log.info("stored data, version %d: tenant %s, %d items", migration.version, tenant, changed)
    app = the_app()
    readable.use()  # importing the app added its logger
    first, is_new = ensure_first_tenant(options.data / "first_tenant.json")
    workers = Workers(app)
    workers.start()
    running.callback(workers.stop)
    recordings = RestRecordings(url, tls.trusted())
    gateway = Gateway(app, bucket=Bucket.of_environment(), threads=options.threads, recordings=recordings)
    running.enter_context(websocket_api.delivering(gateway.websockets))
    gateway.websockets.end_what_is_left()
    server.start(gateway)
    running.callback(server.stop)  # stop it before everything that its requests need
    facts = {
        "url": url,
        "ca": str(tls.ca),
        "aws_endpoint": engine.endpoint,
        "aws_access_key_id": engine.key.id,
        "aws_secret_access_key": engine.key.secret,
    }
    private.write(options.data / "server.json", facts | asdict(first))
    _welcome(url, tls.ca, first, options.data, is_new=is_new)
    return engine


def _welcome(url: str, ca: Path, first: FirstTenant, data: Path, *, is_new: bool) -> None:
    """Print what to do next. The password is shown once; later only the file that contains it."""
    shown = first.password if is_new else f"as before, in {data / 'first_tenant.json'}"
    secret = first.password if is_new else "PASSWORD"
    # Imported here: the app reads its settings at import, after they have been set.
    from chalicelib.console import files

    text = WELCOME.format(
        url=url,
        console=f"{url}/ui/" if files.page() else "not built: `make ui` builds it, also while the server runs",
        user=first.user,
        password=shown,
        secret=secret,
        ca=ca,
        tenant_token=first.tenant_token,
        data=data,
    )
    print(text, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not interrupt the saving of the data.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
