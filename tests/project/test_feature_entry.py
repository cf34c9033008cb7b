"""The import contract that features are used through their service only."""

import pytest

from infra.scripts.feature_entry import features, is_allowed

KNOWN = frozenset({"artifacts", "deployments", "fleet"})


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("chalicelib.deployments.service", "chalicelib.artifacts.service"),
        ("chalicelib.deployments.service", "chalicelib.deployments.tables"),
        ("chalicelib.deployments.rules.phases", "chalicelib.artifacts.rules"),
        ("chalicelib.deployments.rules", "chalicelib.fleet.shapes"),
        ("chalicelib.deployments.service", "chalicelib.fleet.heads"),
        ("chalicelib.http.identity", "chalicelib.fleet.tables"),
        ("chalicelib.deployments.tables", "chalicelib.storage.base"),
        ("chalicelib.routes", "chalicelib.deployments.devices_v1"),
        ("chalicelib.http.identity", "chalicelib.deployments.service"),
    ],
)
def test_allowed_imports(importer: str, imported: str) -> None:
    assert is_allowed(importer, imported, KNOWN)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("chalicelib.deployments.service", "chalicelib.artifacts.tables"),
        ("chalicelib.deployments.service", "chalicelib.artifacts"),
        ("chalicelib.deployments.service", "chalicelib.artifacts.rules"),
        ("chalicelib.deployments.management_v1", "chalicelib.artifacts.management_v1"),
        ("chalicelib.http.identity", "chalicelib.deployments.tables"),
        ("chalicelib.events.schedules", "chalicelib.deployments.rules"),
    ],
)
def test_refused_imports(importer: str, imported: str) -> None:
    assert not is_allowed(importer, imported, KNOWN)


def test_a_feature_is_a_package_with_layers() -> None:
    modules = {"chalicelib", "chalicelib.http.endpoint", "chalicelib.limits", "chalicelib.devauth.service"}

    assert features(modules) == {"devauth"}
