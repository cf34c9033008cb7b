"""Chalice for ``make deploy``, ``make undeploy`` and ``make package``: ``python -m infra.deploy.program COMMAND``.

The packages differ from those of Chalice. Libraries in the layer are verified by a hash of
``requirements.txt``, and are for the functions' Python and processor. Every zip gets byte code (see
``infra/deploy/bytecode.py``). The definition of the REST API is complete. And the stage's configuration can be
completed with values known only at deployment: the URL of the API, the bucket, the processor of the machine.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.deploy import bytecode

if TYPE_CHECKING:
    from collections.abc import Callable

ADDED = "LAMPLIGHTER_DEPLOY"
"""Variable with a JSON document ``{stage: configuration}`` that is merged into ``.chalice/config.json``."""

RUNTIME = "runtime"
"""The key of the functions' Python in such a configuration; Chalice has none."""

CREATE, NAME = "create_deployment_package", "deployment_package_filename"
DOWNLOAD, LOAD = "_download_dependencies", "load_project_config"
"""The methods of Chalice that are extended."""


def main() -> None:
    """Run a command: ``deploy STAGE PROJECT``, ``delete STAGE PROJECT``, or one of Chalice with its arguments."""
    from chalice.cli import main as chalice

    words, added = sys.argv[1:], json.loads(os.environ.pop(ADDED, "{}"))
    if words[0] in ("deploy", "delete"):
        command, stage, project = words
        sys.exit(run(command, stage, Path(project), added))
    extend(words[words.index("--stage") + 1], added)
    sys.exit(chalice())


def run(command: str, stage: str, project: Path, added: dict[str, dict[str, Any]]) -> str | None:
    """Deploy or delete; returns the error, if there was one."""
    # The app reads the names of its queues on import, so the variables have to be set first.
    known = json.loads((project / ".chalice" / "config.json").read_text())["stages"][stage]
    os.environ.update(known["environment_variables"] | added.get(stage, {}).get("environment_variables", {}))
    from infra.deploy import deployer
    from infra.deploy.record import Record

    extend(stage, added)
    action = deployer.deploy if command == "deploy" else deployer.remove
    try:
        action(project, stage, Record(stage, project))
    except deployer.ChaliceDeploymentError as error:
        return str(error)
    return None


_originals: dict[tuple[type, str], Any] = {}
"""The original methods of Chalice, for a process that deploys more than once."""


def extend(stage: str, added: dict[str, dict[str, Any]]) -> None:
    """Extend Chalice for this stage."""
    from chalice.cli.factory import CLIFactory
    from chalice.config import Config
    from chalice.deploy import packager, swagger

    from infra.deploy.functions import STAGES

    own = {each.name: each.runtime for each in STAGES}
    runtime = str(added.get(stage, {}).get(RUNTIME, own.get(stage, ""))) or bytecode.here()
    warnings.filterwarnings("ignore", message="You are currently running")  # `make deploy` prints its own warning
    python = "PIP_PYTHON_VERSION", runtime.removeprefix("python")
    Config.lambda_python_version = property(lambda _: runtime)  # type: ignore[method-assign,assignment]
    for kind in (packager.AppOnlyDeploymentPackager, packager.LayerDeploymentPackager):
        _replace(kind, CREATE, functools.partial(_compiling, runtime=runtime))
    _replace(packager.LayerDeploymentPackager, NAME, _apart)
    _replace(packager.DependencyBuilder, DOWNLOAD, functools.partial(_verified, python=python))
    _replace(CLIFactory, LOAD, functools.partial(_completed, added=added))
    _replace(swagger.CFNSwaggerGenerator, "generate_swagger", functools.partial(_defined, stage=stage))


def _replace(owner: type, name: str, change: Callable[[Any], Any]) -> None:
    original = _originals.setdefault((owner, name), getattr(owner, name))
    setattr(owner, name, change(original))


def _compiling(create: Callable[..., str], *, runtime: str) -> Callable[..., str]:
    @functools.wraps(create)
    def compiling(*arguments: Any, **more: Any) -> str:
        archive = create(*arguments, **more)
        bytecode.compile_zip(Path(archive), runtime)  # an already compiled one stays the same
        return archive

    return compiling


def _verified(download: Callable[..., Any], *, python: tuple[str, str]) -> Callable[..., Any]:
    # Chalice has pip choose files for this machine, by the hashes of requirements.txt, and fetches what does not fit
    # the functions once more by name and version alone. So pip is told which files fit, and to take none without
    # a hash. Packages without a wheel are refused: building one would run their code here.
    @functools.wraps(download)
    def verified(builder: Any, abi: str, *arguments: Any, **more: Any) -> Any:
        platforms = " ".join(builder._get_pip_platforms(abi))
        variable, version = python
        wanted = {"PIP_REQUIRE_HASHES": "1", "PIP_ONLY_BINARY": ":all:", "PIP_PLATFORM": platforms, variable: version}
        os.environ.update(wanted)
        return download(builder, abi, *arguments, **more)

    return verified


def _apart(name: Callable[..., str]) -> Callable[..., str]:
    # A layer of plain Chalice was not verified and is not reused.
    @functools.wraps(name)
    def apart(*arguments: Any, **more: Any) -> str:
        path = Path(name(*arguments, **more))
        return str(path.with_name("verified-" + path.name))

    return apart


def _completed(
    load: Callable[..., dict[str, Any]], *, added: dict[str, dict[str, Any]]
) -> Callable[..., dict[str, Any]]:
    @functools.wraps(load)
    def completed(*arguments: Any, **more: Any) -> dict[str, Any]:
        config = load(*arguments, **more)
        for stage, over in added.items():
            known = config["stages"][stage]
            variables = known.get("environment_variables", {}) | over.get("environment_variables", {})
            config["stages"][stage] = known | over | {"environment_variables": variables}
            config["stages"][stage].pop(RUNTIME, None)
        return config

    return completed


def _defined(generate: Callable[..., dict[str, Any]], *, stage: str) -> Callable[..., dict[str, Any]]:
    from infra.deploy.definition import api_name, complete

    @functools.wraps(generate)
    def defined(*arguments: Any, **more: Any) -> dict[str, Any]:
        return complete(generate(*arguments, **more), api_name(stage))

    return defined


if __name__ == "__main__":
    main()
