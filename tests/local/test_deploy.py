"""A real ``chalice deploy`` to the embedded engine works, with the launcher's patches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from infra.local.engine.process import Engine
from tests.support.aws import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = """
from chalice import Chalice, CORSConfig, Response, AuthResponse
app = Chalice(app_name="tiny")
app.api.binary_types.append("application/x-tiny")

@app.authorizer()
def authorizer_function(request):
    return AuthResponse(routes=["*"] if request.token == "open" else [], principal_id="someone")

@app.route("/things/{id}", methods=["GET", "PUT"], cors=CORSConfig(allow_origin="https://ui.example"))
def thing(id):
    return {"id": id, "verb": app.current_request.method}

@app.route("/things/special")
def special():
    return {"special": True}

@app.route("/guarded", authorizer=authorizer_function)
def guarded():
    return {"in": True}
"""


class Project:
    """A Chalice project in a folder, deployed to an engine."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._folder = folder
        self._engine = engine
        (folder / ".chalice").mkdir()
        config = {"version": "2.0", "app_name": "tiny", "stages": {"dev": {"api_gateway_stage": "api"}}}
        (folder / ".chalice" / "config.json").write_text(json.dumps(config))
        (folder / "requirements.txt").write_text("")
        self.write(APP)

    def write(self, source: str) -> None:
        (self._folder / "app.py").write_text(source)

    def run(self, command: str) -> None:
        ended = subprocess.run(
            [sys.executable, "-c", "from chalice.cli import main; main()", command, "--stage", "dev"],
            cwd=self._folder,
            env={**os.environ, **self._engine.env(), "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    @property
    def api_id(self) -> str:
        deployed = json.loads((self._folder / ".chalice" / "deployed" / "dev.json").read_text())
        return next(item["rest_api_id"] for item in deployed["resources"] if "rest_api_id" in item)

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=f"{self._engine.endpoint}/_aws/execute-api/{self.api_id}/api", timeout=60)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with Engine(tmp_path_factory.mktemp("engine"), persist=False, functions=True) as engine:
        deployed = Project(tmp_path_factory.mktemp("project"), engine)
        deployed.run("deploy")
        yield deployed


def gateway(project: Project) -> Any:
    return client_of(project._engine, "apigateway")


def test_the_api_has_its_name_resources_and_binary_types(project: Project) -> None:
    apis = gateway(project)

    about = apis.get_rest_api(restApiId=project.api_id)
    paths = {item["path"] for item in apis.get_resources(restApiId=project.api_id)["items"]}
    apis.close()

    assert about["name"] == "tiny"
    assert "application/x-tiny" in about["binaryMediaTypes"]
    assert paths == {"/", "/guarded", "/things", "/things/{id}", "/things/special"}


def test_routes_answer(project: Project) -> None:
    with project.client() as client:
        assert client.put("/things/a").json() == {"id": "a", "verb": "PUT"}
        assert client.get("/things/special").json() == {"special": True}
        assert client.get("/nowhere").status_code == 403


def test_an_authorizer_decides(project: Project) -> None:
    with project.client() as client:
        assert client.get("/guarded").status_code == 401
        assert client.get("/guarded", headers={"Authorization": "shut"}).status_code == 403
        assert client.get("/guarded", headers={"Authorization": "open"}).json() == {"in": True}


def test_a_browser_gets_cors_headers(project: Project) -> None:
    with project.client() as client:
        answer = client.options("/things/a")

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://ui.example"
    assert set(answer.headers["access-control-allow-methods"].split(",")) == {"GET", "PUT", "OPTIONS"}


def test_a_second_deployment_replaces_the_first(project: Project) -> None:
    api_id = project.api_id
    project.write(APP.replace('"/guarded"', '"/protected"'))

    project.run("deploy")

    assert project.api_id == api_id
    with project.client() as client:
        assert client.get("/protected", headers={"Authorization": "open"}).json() == {"in": True}
        assert client.get("/guarded").status_code == 403
        assert client.get("/things/b").json() == {"id": "b", "verb": "GET"}
