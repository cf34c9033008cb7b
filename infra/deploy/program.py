"""Chalice's own command line, for ``make deploy``: ``python -m infra.deploy.program deploy --stage dev``.

Two things are added. Every zip that it makes gets byte code (see ``infra/scripts/package.py``), and the stage's
configuration can be completed by what only the one who deploys knows: the URL of the API, the processor of the machine.
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

CREATE, LOAD = "create_deployment_package", "load_project_config"
"""The methods of Chalice's that are extended."""


def main() -> None:
    """Run Chalice."""
    from chalice.cli import main as chalice
    from chalice.cli.factory import CLIFactory
    from chalice.deploy import packager

    for kind in (packager.AppOnlyDeploymentPackager, packager.LayerDeploymentPackager):
        setattr(kind, CREATE, _compiling(getattr(kind, CREATE)))
    setattr(CLIFactory, LOAD, _completed(getattr(CLIFactory, LOAD)))
    sys.exit(chalice())


def _compiling(create: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(create)
    def compiling(*arguments: Any, **more: Any) -> str:
        archive = create(*arguments, **more)
        with_bytecode(Path(archive))  # one that was compiled before stays the same
        return archive

    return compiling


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
