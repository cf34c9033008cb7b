"""An import-linter contract: a feature enters another only by its service.

Import-linter's own contracts cannot say "the same feature", so this one does. What may cross between
features: anything may import another's ``service``; rules and shapes, being pure, may import each other's;
what lists the blueprints may import routes. ``fleet`` owns the device head and the control item for all
features, so all of it is a door. What features share (http, storage, aws, ...) has no
doors; the layer contracts hold it.
"""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output

ROUTES = frozenset(
    {
        "devices_v1",
        "devices_v2",
        "management_v1",
        "management_v1alpha1",
        "management_v2",
        "management_v2alpha1",
        "pages",
    }
)
PURE = frozenset({"rules", "shapes"})
ROOMS = ROUTES | PURE | {"service", "tables"}
OWNER = "fleet"


def place(module: str) -> tuple[str, str]:
    """The package and the room of one of our modules; the room is empty for a package itself."""
    _, package, room, *_ = [*module.split("."), "", "", ""]
    return package, room


def features(modules: set[str]) -> frozenset[str]:
    """The packages that are built of rooms. What all features share has none."""
    return frozenset(package for package, room in map(place, modules) if room in ROOMS)


def is_open(importer: str, imported: str, known: frozenset[str]) -> bool:
    """Whether this import goes through a door, or crosses no border between features."""
    inside, room = place(importer)
    outside, wanted = place(imported)
    if outside not in known or outside in (inside, OWNER):
        return True
    if inside not in known and wanted in ROUTES:
        return True
    return wanted == "service" or (wanted in PURE and room in PURE)


class DoorsContract(Contract):
    """Lists every direct import that climbs into another feature through a window."""

    type_name = "doors"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - import-linter's signature
        """Walk all direct imports."""
        known = features(graph.modules)
        windows = [
            (importer, imported)
            for importer in sorted(graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if imported.startswith("chalicelib.") and not is_open(importer, imported, known)
        ]
        return ContractCheck(kept=not windows, metadata={"windows": windows})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say which import, and the way in that is open."""
        for importer, imported in check.metadata["windows"]:
            output.print_error(f"- {importer} -> {imported}: ask that feature's service", bold=False)
