"""Chalice's own command line, for ``make deploy`` and ``make package``: ``python -m infra.deploy.program deploy``.

Three things are added. No library gets into the layer but by a hash of ``requirements.txt``. Every zip that it makes
gets byte code (see ``infra/scripts/package.py``). And the stage's configuration can be completed by what only the one
who deploys knows: the URL of the API, the processor of the machine.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.scripts.package import with_bytecode

if TYPE_CHECKING:
    from collections.abc import Callable

ADDED = "LAMPLIGHTER_DEPLOY"
"""Variable of a JSON document ``{stage: configuration}``, which is put over that of ``.chalice/config.json``."""

CREATE, NAME = "create_deployment_package", "deployment_package_filename"
DOWNLOAD, LOAD = "_download_dependencies", "load_project_config"
"""The methods of Chalice's that are extended."""


def main() -> None:
    """Run Chalice."""
    from chalice.cli import main as chalice
    from chalice.cli.factory import CLIFactory
    from chalice.deploy import packager

    for kind in (packager.AppOnlyDeploymentPackager, packager.LayerDeploymentPackager):
        setattr(kind, CREATE, _compiling(getattr(kind, CREATE)))
    setattr(packager.LayerDeploymentPackager, NAME, _apart(getattr(packager.LayerDeploymentPackager, NAME)))
    setattr(packager.DependencyBuilder, DOWNLOAD, _verified(getattr(packager.DependencyBuilder, DOWNLOAD)))
    setattr(CLIFactory, LOAD, _completed(getattr(CLIFactory, LOAD)))
    sys.exit(chalice())


def _compiling(create: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(create)
    def compiling(*arguments: Any, **more: Any) -> str:
        archive = create(*arguments, **more)
        with_bytecode(Path(archive))  # one that was compiled before stays the same
        return archive

    return compiling


def _verified(download: Callable[..., Any]) -> Callable[..., Any]:
    # Chalice has pip choose files for this machine, by the hashes of requirements.txt, and fetches what does not fit
    # the function's processor once more by name and version alone. So pip is told which files fit, and to take
    # none without a hash. What has no wheel is refused: its own code would run here to build one.
    @functools.wraps(download)
    def verified(builder: Any, abi: str, *arguments: Any, **more: Any) -> Any:
        platforms = " ".join(builder._get_pip_platforms(abi))
        os.environ.update(PIP_REQUIRE_HASHES="1", PIP_ONLY_BINARY=":all:", PIP_PLATFORM=platforms)
        return download(builder, abi, *arguments, **more)

    return verified


def _apart(name: Callable[..., str]) -> Callable[..., str]:
    # A layer that plain Chalice left there was not verified, and is not used again.
    @functools.wraps(name)
    def apart(*arguments: Any, **more: Any) -> str:
        path = Path(name(*arguments, **more))
        return str(path.with_name("verified-" + path.name))

    return apart


def _completed(load: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    added: dict[str, dict[str, Any]] = json.loads(os.environ.pop(ADDED, "{}"))

    @functools.wraps(load)
    def completed(*arguments: Any, **more: Any) -> dict[str, Any]:
        config = load(*arguments, **more)
        for stage, over in added.items():
            known = config["stages"][stage]
            variables = known.get("environment_variables", {}) | over.get("environment_variables", {})
            config["stages"][stage] = known | over | {"environment_variables": variables}
        return config

    return completed


if __name__ == "__main__":
    main()
