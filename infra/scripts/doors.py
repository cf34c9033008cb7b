"""An import-linter contract: a feature enters another only by its service.

Import-linter's own contracts cannot say "the same feature", so this one does. Two kinds of import may
cross between features: anything may import another's ``service``, and rules and shapes, being pure, may
import each other's. What all features share (http, storage, aws, ...) has no doors; the layer contracts
hold it.
"""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output

PURE = frozenset({"rules", "shapes"})
SHARED = frozenset({"aws", "errors", "events", "http", "limits", "observability", "settings", "storage"})


def feature_and_room(module: str) -> tuple[str, str] | None:
    """The feature that a module belongs to and its room there; None for what features share."""
    parts = [*module.split("."), "", ""][:3]
    package, feature, room = parts
    if package != "chalicelib" or not feature or feature in SHARED:
        return None
    return feature, room


def is_open(importer: str, imported: str) -> bool:
    """Whether this import goes through a door, or crosses no border between features."""
    inside, outside = feature_and_room(importer), feature_and_room(imported)
    if outside is None or (inside is not None and inside[0] == outside[0]):
        return True
    if inside is None:
        return not importer.startswith("chalicelib.") or outside[1] in {"service"} | PURE
    return outside[1] == "service" or (outside[1] in PURE and inside[1] in PURE)


class DoorsContract(Contract):
    """Lists every direct import that climbs into another feature through a window."""

    type_name = "doors"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - import-linter's signature
        """Walk all direct imports."""
        windows = [
            (importer, imported)
            for importer in sorted(graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not is_open(importer, imported)
        ]
        return ContractCheck(kept=not windows, metadata={"windows": windows})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say which import, and the way in that is open."""
        for importer, imported in check.metadata["windows"]:
            output.print_error(f"- {importer} -> {imported}: ask that feature's service", bold=False)
