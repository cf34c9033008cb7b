"""The deployed configuration and package."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.settings import Settings
from infra.deploy import bytecode
from infra.deploy.bytecode import UNCHECKED, cache_name, compiled, with_bytecode
from infra.deploy.definition import gateway_responses
from infra.deploy.functions import ALIAS, FUNCTIONS, RUNTIME, deployed_name
from infra.local.compression import MINIMUM_COMPRESSION_SIZE
from infra.local.template import Template
from infra.paths import ROOT
from infra.scripts import deployed_page
from infra.scripts.package import ZIPS, BuildFailedError, alone, package, sizes

MB = 1_000_000
KINDS = (
    "AWS::ApiGatewayV2::Integration",
    "AWS::Lambda::Permission",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
)
TEMPLATE = 1 * MB  # CloudFormation, per template
OWN_CODE = 5 * MB  # sources and byte code of the whole management plane; a cold start reads only what it imports
LAYER_UNPACKED = 60 * MB  # Lambda's own limit is 250 MB; a cold start reads what it imports
CONFIG = json.loads((ROOT / ".chalice/config.json").read_text())
STAGES = sorted(CONFIG["stages"])


# --- Configuration


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_sets_only_settings_that_exist(stage: str) -> None:
    known = {f"LAMPLIGHTER_{name.upper()}" for name in Settings.__struct_fields__}
    variables = CONFIG["stages"][stage]["environment_variables"]

    assert set(variables) <= known
    assert variables["LAMPLIGHTER_STAGE"] == stage
    assert len(set(variables.values())) >= 3, "tables, bucket and stage are named apart"


# --- Byte code


@pytest.mark.parametrize("add", [True, False])
def test_byte_code_of_the_checkouts_own_python_is_not_shipped(tmp_path: Path, add: bool) -> None:
    archive = tmp_path / "deployment.zip"
    foreign = "pack/__pycache__/answer.cpython-39.pyc"
    with zipfile.ZipFile(archive, "w") as old:
        old.writestr("pack/answer.py", "ANSWER = 42")
        old.writestr(foreign, b"made by another Python")

    with_bytecode(archive, add=add)

    with zipfile.ZipFile(archive) as new:
        assert sorted(new.namelist()) == sorted(["pack/answer.py", *([cache_name("pack/answer.py")] if add else [])])


def test_byte_code_is_loaded_without_checking_the_source(tmp_path: Path) -> None:
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


def built(stage: str, factory: pytest.TempPathFactory) -> Path:
    """The package of a stage, built once for all processes that run tests of this session."""
    shared = factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    out = shared / f"package-{stage}"
    try:
        with alone(shared):
            return out if (out / "sam.json").exists() else package(stage, out)
    except BuildFailedError as error:
        offline = ("NewConnectionError", "Temporary failure in name resolution", "ConnectTimeoutError")
        if any(sign in str(error) for sign in offline):
            pytest.skip("the libraries of the layer cannot be fetched here")
        raise


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("prod", tmp_path_factory)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package for this machine's processor, unpacked as Lambda unpacks it."""
    out, here = built("local-aws", tmp_path_factory), tmp_path_factory.mktemp("here")
    for name in ZIPS:
        shutil.copy(out / name, here)
        with zipfile.ZipFile(out / name) as archive:
            archive.extractall(here / name.removesuffix(".zip"))
    return here


@pytest.mark.slow
def test_the_template_has_the_structure_for_cloudformation(prod: Path) -> None:
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
    assert api["MinimumCompressionSize"] == MINIMUM_COMPRESSION_SIZE == CONFIG["minimum_compression_size"]
    assert api["EndpointConfiguration"] == "REGIONAL" or api["EndpointConfiguration"]["Type"] == "REGIONAL"


@pytest.mark.slow
def test_every_function_has_a_size_and_every_size_a_function(prod: Path) -> None:
    """Chalice ignores a name that it does not know, and the function then gets the default."""
    resources = json.loads((prod / "sam.json").read_text())["Resources"]
    functions = {name for name, resource in resources.items() if resource["Type"] == "AWS::Serverless::Function"}

    assert {name.replace("_", "") for name in CONFIG["lambda_functions"]} == {name.lower() for name in functions}


@pytest.mark.slow
def test_the_template_names_only_its_own_stage(prod: Path) -> None:
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
def test_the_functions_use_the_names_of_the_storage_stack(stage: str) -> None:
    storage = Template(ROOT / "infra/templates/storage.yaml", {"Stage": stage}, "us-east-1")
    variables = CONFIG["stages"][stage]["environment_variables"]

    tables = [about["TableName"] for _, about in storage.resources("AWS::DynamoDB::Table")]
    queues = [about["QueueName"] for _, about in storage.resources("AWS::SQS::Queue")]
    assert all(name.startswith(variables["LAMPLIGHTER_TABLE_PREFIX"]) for name in tables)
    assert all(name.startswith(variables["LAMPLIGHTER_QUEUE_PREFIX"]) for name in queues)


@pytest.mark.slow
def test_the_template_holds_every_route(prod: Path) -> None:
    resources = json.loads((prod / "sam.json").read_text())["Resources"]
    paths = resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    packaged = {(path, method.upper()) for path, methods in paths.items() for method in methods}

    assert {(path, method) for path, methods in app.routes.items() for method in methods} <= packaged


@pytest.mark.slow
def test_errors_of_the_gateway_have_the_apps_format_in_a_stack_too(prod: Path) -> None:
    resources = json.loads((prod / "sam.json").read_text())["Resources"]

    definition = resources["RestAPI"]["Properties"]["DefinitionBody"]
    assert definition["x-amazon-apigateway-gateway-responses"] == gateway_responses()


@pytest.mark.slow
def test_the_template_passes_cfn_lint(prod: Path) -> None:
    """With cfn-lint, which transforms it like SAM, and knows the properties of every resource."""
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, prod / "sam.json"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[:4000] + done.stderr[:4000]


@pytest.mark.slow
def test_functions_of_a_stack_have_the_names_used_by_alarms_and_gateways(prod: Path) -> None:
    resources = json.loads((prod / "sam.json").read_text())["Resources"].values()
    functions = [each["Properties"] for each in resources if each["Type"] == "AWS::Serverless::Function"]
    groups = {each["Properties"]["LogGroupName"] for each in resources if each["Type"] == "AWS::Logs::LogGroup"}
    names = {deployed_name(each, "prod") for each in FUNCTIONS}

    assert {each["FunctionName"] for each in functions} == names
    assert groups == {f"/aws/lambda/{name}" for name in names}


@pytest.mark.slow
def test_everything_in_a_stack_calls_the_live_alias(prod: Path) -> None:
    """SAM lets queues and the schedule call it, where a function has one."""
    resources = json.loads((prod / "sam.json").read_text())["Resources"]
    of = {kind: [each["Properties"] for each in resources.values() if each["Type"] == kind] for kind in KINDS}
    [api] = of["AWS::Serverless::Api"]
    methods = [each for path in api["DefinitionBody"]["paths"].values() for each in path.values()]
    proxies = [each["x-amazon-apigateway-integration"] for each in methods]
    called = {each["uri"]["Fn::Sub"] for each in proxies if each["type"] == "aws_proxy"}
    called |= {each["IntegrationUri"]["Fn::Sub"] for each in of["AWS::ApiGatewayV2::Integration"]}

    assert {each["AutoPublishAlias"] for each in of["AWS::Serverless::Function"]} == {ALIAS}
    assert len(called) == 4
    assert all(re.search(r"/functions/\$\{\w+Aliaslive\}/invocations$", each) for each in called)
    assert all(each["FunctionName"]["Ref"].endswith("Aliaslive") for each in of["AWS::Lambda::Permission"])


@pytest.mark.slow
def test_a_stack_has_the_bucket_of_its_storage_stack(prod: Path) -> None:
    text = (prod / "sam.json").read_text()
    own = {"Fn::Sub": "lamplighter-prod-${AWS::AccountId}-${AWS::Region}"}
    functions = [
        each["Properties"] for each in json.loads(text)["Resources"].values() if "CodeUri" in each["Properties"]
    ]

    assert [each["Environment"]["Variables"]["LAMPLIGHTER_BUCKET"] for each in functions] == [own] * len(FUNCTIONS)
    assert "s3:::lamplighter-prod-artifacts" not in text


@pytest.mark.slow
def test_the_page_deployed_is_up_to_date(prod: Path) -> None:
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
def test_every_module_ships_compiled(here: Path, name: str) -> None:
    with zipfile.ZipFile(here / name) as archive:
        names = set(archive.namelist())
        bare = {n for n in names if n.endswith(".py") and cache_name(n) not in names}
        flags = {archive.read(n)[4] for n in names if n.endswith(".pyc")}
        assert [n for n in bare if compiled(archive.read(n), n)] == []

    assert flags == {UNCHECKED}


@pytest.mark.slow
@pytest.mark.parametrize("name", ZIPS)
def test_the_package_is_for_the_python_version_of_the_functions(prod: Path, name: str) -> None:
    """Whichever Python packages it: libraries always, byte code where such a Python is here to compile it."""
    short = RUNTIME.removeprefix("python").replace(".", "")
    with zipfile.ZipFile(prod / name) as archive:
        modules = [each for each in archive.namelist() if each.endswith(".py")]
        native = re.findall(r"\.cpython-(\d+)-", " ".join(archive.namelist()))
        tags = {each.rsplit(".", 2)[1] for each in archive.namelist() if each.endswith(".pyc")}
        there = sum(cache_name(each, RUNTIME) in archive.NameToInfo for each in modules)
    resources = json.loads((prod / "sam.json").read_text())["Resources"].values()
    runtimes = {each["Properties"]["Runtime"] for each in resources if "Runtime" in each["Properties"]}

    assert runtimes == {RUNTIME}
    assert set(native) <= {short}
    assert bool(native) == (name == "layer-deployment.zip")
    assert tags <= {f"cpython-{short}"}
    assert there > 0.98 * len(modules) if bytecode.interpreter(RUNTIME) else not tags


def test_a_zip_is_compiled_by_a_python_of_the_right_version_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "deployment.zip"
    with zipfile.ZipFile(archive, "w") as new:
        new.writestr("answer.py", "")
    other = tmp_path / "python3.99"
    other.write_text("#!/bin/sh\nexit 1\n")  # as a version manager leaves it
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert not bytecode.compile_zip(archive, "python3.99")
    with zipfile.ZipFile(archive) as made:
        assert made.namelist() == ["answer.py"]
    assert bytecode.compile_zip(archive, bytecode.here())
    with zipfile.ZipFile(archive) as made:
        assert cache_name("answer.py") in made.namelist()


@pytest.mark.slow
def test_only_needed_files_are_shipped(prod: Path) -> None:
    with zipfile.ZipFile(prod / "deployment.zip") as archive:
        top = {name.split("/")[0] for name in archive.namelist()}

    assert top <= {"app.py", "chalicelib", "chalice", "__pycache__"}


@pytest.mark.slow
def test_the_package_starts_without_other_files(here: Path) -> None:
    """With only the two zips and the standard library, so that a package missing in requirements.txt is noticed."""
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
    assert int(count) == len(app.routes)


def test_own_modules_are_all_compilable_for_lambda() -> None:
    for path in (ROOT / "chalicelib").rglob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 11))
