"""What is deployed: the route table by API Gateway's rules, and the built package.

API Gateway refuses a route table at import, after everything else was uploaded; these tests refuse it first.
"""

import ast
import json
import re
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from chalice.app import RouteEntry

from app import app
from chalicelib.settings import Settings
from infra.deploy.stage import gateway_responses
from infra.local.template import Template
from infra.scripts import deployed_page
from infra.scripts.package import (
    ROOT,
    UNCHECKED,
    ZIPS,
    BuildFailedError,
    cache_name,
    compiled,
    package,
    sizes,
    with_bytecode,
)

MB = 1_000_000
RESOURCES = 300  # API Gateway, per REST API
TEMPLATE = 1 * MB  # CloudFormation, per template
OWN_CODE = 5 * MB  # sources and byte code of the whole management plane; a cold start reads only what it imports
LAYER_UNPACKED = 60 * MB  # Lambda's own limit is 250 MB; a cold start reads what it imports
CONFIG = json.loads((ROOT / ".chalice/config.json").read_text())
STAGES = sorted(CONFIG["stages"])


# --- The route table


def routes() -> dict[str, dict[str, RouteEntry]]:
    table: dict[str, dict[str, RouteEntry]] = app.routes
    assert table, "the app has no routes"
    return table


def nodes() -> dict[tuple[str, ...], set[str]]:
    """Each node of API Gateway's resource tree and the names below it."""
    tree: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path in routes():
        parts = path.strip("/").split("/")
        for depth, part in enumerate(parts):
            tree[tuple(parts[:depth])].add(part)
    return tree


def test_the_resource_tree_fits_one_rest_api() -> None:
    assert 1 + sum(len(children) for children in nodes().values()) <= RESOURCES


def test_one_position_has_one_variable_name() -> None:
    variables = {
        "/".join(parent): sorted(name for name in children if name.startswith("{"))
        for parent, children in nodes().items()
    }

    assert {parent: names for parent, names in variables.items() if len(names) > 1} == {}


def test_a_variable_is_a_whole_path_segment() -> None:
    segments = {name for children in nodes().values() for name in children}

    assert {name for name in segments if not re.fullmatch(r"[A-Za-z0-9._-]+|\{[A-Za-z0-9_]+\}", name)} == set()


def test_no_path_ends_in_a_slash() -> None:
    assert [path for path in routes() if path.endswith("/")] == []


def test_preflight_is_left_to_the_gateway() -> None:
    assert [path for path, methods in routes().items() if "OPTIONS" in methods] == []


def cors_of(entry: Any) -> str:
    return json.dumps(entry.cors.get_access_control_headers() if entry.cors else None)


def test_the_methods_of_a_path_agree_on_cors() -> None:
    settings = {path: {cors_of(entry) for entry in methods.values()} for path, methods in routes().items()}

    assert [path for path, found in settings.items() if len(found) > 1] == []


def test_every_path_lies_where_the_stage_makes_it_a_mender_url() -> None:
    """The stage is called "api", so a route must not say it again."""
    assert {stage["api_gateway_stage"] for stage in CONFIG["stages"].values()} == {"api"}
    assert [path for path in routes() if not re.match(r"/(devices|management)/v\d", path)] == []


# --- Configuration


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_sets_only_settings_that_exist(stage: str) -> None:
    known = {f"LAMPLIGHTER_{name.upper()}" for name in Settings.__struct_fields__}
    variables = CONFIG["stages"][stage]["environment_variables"]

    assert set(variables) <= known
    assert variables["LAMPLIGHTER_STAGE"] == stage
    assert len(set(variables.values())) >= 3, "tables, bucket and stage are named apart"


# --- Byte code


def test_compiled_modules_need_no_look_at_their_source(tmp_path: Path) -> None:
    archive = tmp_path / "deployment.zip"
    with zipfile.ZipFile(archive, "w") as old:
        old.writestr("pack/__init__.py", "")
        old.writestr("pack/answer.py", "def why():\n    raise LookupError(42)\n")
        old.writestr("pack/template.py", "{% not python %}")

    with_bytecode(archive)
    once = archive.read_bytes()
    with_bytecode(archive)

    assert archive.read_bytes() == once, "the same sources give the same zip"
    with zipfile.ZipFile(archive) as new:
        new.extractall(tmp_path / "task")
        assert cache_name("pack/template.py") not in new.namelist()
    (tmp_path / "task/pack/answer.py").write_text("raise SystemExit('the source was read')")
    done = subprocess.run(
        [sys.executable, "-c", "from pack.answer import why; why()"],
        cwd=tmp_path / "task",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "LookupError: 42" in done.stderr


# --- The package


def built(stage: str, folder: Path) -> Path:
    try:
        return package(stage, folder / stage)
    except BuildFailedError as error:
        offline = ("NewConnectionError", "Temporary failure in name resolution", "ConnectTimeoutError")
        if any(sign in str(error) for sign in offline):
            pytest.skip("the libraries of the layer cannot be fetched here")
        raise


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("prod", tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package for this machine's processor, unpacked as Lambda unpacks it."""
    out = built("local-aws", tmp_path_factory.mktemp("package"))
    for name in ZIPS:
        with zipfile.ZipFile(out / name) as archive:
            archive.extractall(out / name.removesuffix(".zip"))
    return out


@pytest.mark.slow
def test_the_template_is_what_cloudformation_takes(prod: Path) -> None:
    text = (prod / "sam.json").read_text()
    resources = json.loads(text)["Resources"]
    kinds = {name: resource["Type"] for name, resource in resources.items()}
    functions = [
        resource["Properties"] for resource in resources.values() if resource["Type"] == "AWS::Serverless::Function"
    ]
    api = next(resource["Properties"] for resource in resources.values() if resource["Type"] == "AWS::Serverless::Api")

    assert len(text.encode()) < TEMPLATE
    assert "AWS::Serverless::LayerVersion" in kinds.values()
    assert {tuple(function["Architectures"]) for function in functions} == {("arm64",)}
    assert all(function["Timeout"] <= 900 for function in functions)
    assert api["StageName"] == "api"
    assert api["EndpointConfiguration"] == "REGIONAL" or api["EndpointConfiguration"]["Type"] == "REGIONAL"


@pytest.mark.slow
def test_every_function_has_its_own_size_and_no_size_is_for_nothing(prod: Path) -> None:
    """Chalice ignores a name that it does not know, and the function then gets the default."""
    resources = json.loads((prod / "sam.json").read_text())["Resources"]
    functions = {name for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::Function"}

    assert {name.replace("_", "") for name in CONFIG["lambda_functions"]} == {name.lower() for name in functions}


@pytest.mark.slow
def test_the_template_names_its_own_stage_alone(prod: Path) -> None:
    """Queue names are read when the app is imported, which happens here and not on Lambda."""
    text = (prod / "sam.json").read_text()

    assert set(re.findall(r"lamplighter-[a-z]+(?:-aws)?-", text)) == {"lamplighter-prod-"}


@pytest.mark.slow
def test_a_message_stays_hidden_while_its_worker_may_still_run(prod: Path) -> None:
    resources = json.loads((prod / "sam.json").read_text())["Resources"]
    storage = Template(ROOT / "infra/templates/storage.yaml", {"Stage": "prod"}, "us-east-1")
    hidden = {about["QueueName"]: about["VisibilityTimeout"] for about in live_queues(storage)}

    for resource in resources.values():
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] == "SQS":
                queue = event["Properties"]["Queue"]["Fn::Sub"].rpartition(":")[2]
                assert hidden[queue] >= 6 * resource["Properties"]["Timeout"], queue


def live_queues(storage: Template) -> list[dict[str, Any]]:
    queues = [about for _, about in storage.resources("AWS::SQS::Queue")]
    return [about for about in queues if "RedrivePolicy" in about]


@pytest.mark.parametrize("stage", STAGES)
def test_the_functions_look_where_the_storage_stack_puts_things(stage: str) -> None:
    storage = Template(ROOT / "infra/templates/storage.yaml", {"Stage": stage}, "us-east-1")
    variables = CONFIG["stages"][stage]["environment_variables"]

    tables = [about["TableName"] for _, about in storage.resources("AWS::DynamoDB::Table")]
    queues = [about["QueueName"] for _, about in storage.resources("AWS::SQS::Queue")]
    buckets = [about["BucketName"] for _, about in storage.resources("AWS::S3::Bucket")]
    assert all(name.startswith(variables["LAMPLIGHTER_TABLE_PREFIX"]) for name in tables)
    assert all(name.startswith(variables["LAMPLIGHTER_QUEUE_PREFIX"]) for name in queues)
    assert buckets == [variables["LAMPLIGHTER_BUCKET"]]


@pytest.mark.slow
def test_the_template_holds_every_route(prod: Path) -> None:
    resources = json.loads((prod / "sam.json").read_text())["Resources"]
    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    packaged = {(path, method.upper()) for path, methods in paths.items() for method in methods}

    assert {(path, method) for path, methods in routes().items() for method in methods} <= packaged


@pytest.mark.slow
def test_errors_of_the_gateway_have_our_shape_in_a_stack_too(prod: Path) -> None:
    resources = json.loads((prod / "sam.json").read_text())["Resources"]

    assert resources["RestAPI"]["Properties"]["GatewayResponses"] == gateway_responses()
    assert resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"], "merging replaced the routes"


@pytest.mark.slow
def test_the_page_of_what_is_deployed_is_up_to_date(prod: Path) -> None:
    """Its sizes are rounded, and may be off by as much as another version of Python makes them."""
    there, now = deployed_page.PAGE.read_text(), deployed_page.page(prod)
    size = re.compile(r"(\d+) MB")

    assert size.sub("? MB", there) == size.sub("? MB", now), "make docs"
    for old, new in zip(size.findall(there), size.findall(now), strict=True):
        assert abs(int(old) - int(new)) <= max(1, int(old) // 5), "make docs"


@pytest.mark.slow
def test_the_zips_stay_within_their_budgets(prod: Path) -> None:
    _, own = sizes(prod / "deployment.zip")
    _, layer = sizes(prod / "layer-deployment.zip")

    assert own <= OWN_CODE
    assert layer <= LAYER_UNPACKED


@pytest.mark.slow
@pytest.mark.parametrize("name", ZIPS)
def test_every_module_ships_compiled(prod: Path, name: str) -> None:
    with zipfile.ZipFile(prod / name) as archive:
        names = set(archive.namelist())
        bare = {n for n in names if n.endswith(".py") and cache_name(n) not in names}
        flags = {archive.read(n)[4] for n in names if n.endswith(".pyc")}
        assert [n for n in bare if compiled(archive.read(n), n)] == []

    assert flags == {UNCHECKED}


@pytest.mark.slow
def test_only_what_serves_is_shipped(prod: Path) -> None:
    with zipfile.ZipFile(prod / "deployment.zip") as archive:
        top = {name.split("/")[0] for name in archive.namelist()}

    assert top <= {"app.py", "chalicelib", "chalice", "__pycache__"}


@pytest.mark.slow
def test_the_package_starts_with_nothing_else_around(here: Path) -> None:
    """Only the two zips and the standard library: what requirements.txt forgot would be missed here."""
    libraries = next((here / "layer-deployment").rglob("site-packages"))
    code = (
        f"import sys; sys.path[:0] = [{str(here / 'deployment')!r}, {str(libraries)!r}]; import app; "
        "print(app.__cached__); print(len(app.app.routes))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, cwd=here
    )

    assert done.returncode == 0, done.stderr
    cached, count = done.stdout.split()
    assert cached.endswith(".pyc")
    assert int(count) == len(routes())


def test_own_modules_are_all_compilable_for_lambda() -> None:
    for path in (ROOT / "chalicelib").rglob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 11))
