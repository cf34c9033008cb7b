"""An import-linter contract: a feature imports another one by its service only.

Import-linter's own contracts cannot express "the same feature". Between features, any module may import
another feature's ``service``. Rules and shapes are pure, and may import each other's; what lists the blueprints may
import routes. ``fleet`` owns the device head and the control item for all features, so they may import all of it. What
features share (http, storage, aws, ...) is held by the contract of layers.
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
LAYERS = ROUTES | PURE | {"service", "tables"}
OWNER = "fleet"


def feature_and_layer(module: str) -> tuple[str, str]:
    """The package of one of our modules, and its layer in there; empty for the package itself."""
    _, package, layer, *_ = [*module.split("."), "", "", ""]
    return package, layer


def features(modules: set[str]) -> frozenset[str]:
    """The packages with layers, that is, features."""
    return frozenset(package for package, layer in map(feature_and_layer, modules) if layer in LAYERS)


def is_allowed(importer: str, imported: str, known: frozenset[str]) -> bool:
    """Whether this import stays within a feature, or uses another feature's service."""
    inside, layer = feature_and_layer(importer)
    outside, wanted = feature_and_layer(imported)
    if outside not in known or outside in (inside, OWNER):
        return True
    if inside not in known and wanted in ROUTES:
        return True
    return wanted == "service" or (wanted in PURE and layer in PURE)


class FeatureEntryContract(Contract):
    """Finds direct imports of another feature that do not use its service."""

    type_name = "feature_entry"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - import-linter's signature
        """Check all direct imports in ``chalicelib``."""
        ours = {module for module in graph.modules if module.startswith("chalicelib.")}
        known = features(ours)
        refused = [
            (importer, imported)
            for importer in sorted(ours)
            for imported in sorted(graph.find_modules_directly_imported_by(importer) & ours)
            if not is_allowed(importer, imported, known)
        ]
        return ContractCheck(kept=not refused, metadata={"refused": refused})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is not allowed."""
        for importer, imported in check.metadata["refused"]:
            output.print_error(f"- {importer} -> {imported}: import that feature's service instead", bold=False)
