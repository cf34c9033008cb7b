"""Whether the device, release or deployment in a path is within the caller's scopes.

This is checked only for users with limited permissions, and costs one or two reads. The answer is no for what does not
exist, so a refusal reveals nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.artifacts import service as artifacts
from chalicelib.deployments.service import managing as deployments
from chalicelib.devauth import service as devauth
from chalicelib.fleet import heads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chalicelib.http.access import Kind
    from chalicelib.http.request import UserRequest


def _device(request: UserRequest, device_id: str) -> bool:
    return heads.is_within(request.tenant, device_id, request.groups)


def _release(request: UserRequest, name: str) -> bool:
    tags = request.release_tags
    return tags is None or artifacts.is_tagged(request.tenant, name, tags)


def _artifact(request: UserRequest, artifact_id: str) -> bool:
    tags = request.release_tags
    if tags is None:
        return True
    name = artifacts.release_of(request.tenant, artifact_id)
    return name is not None and artifacts.is_tagged(request.tenant, name, tags)


def _deployment(request: UserRequest, deployment: str) -> bool:
    return deployments.is_within(request.tenant, deployment, request.scopes)


def _auth_set(request: UserRequest, set_id: str) -> bool:
    if request.groups is None:
        return True
    device = devauth.device_of_set(request.tenant, set_id)
    return device is not None and _device(request, device)


INSIDE: Final[Mapping[Kind, Callable[[UserRequest, str], bool]]] = {
    "artifact": _artifact,
    "auth_set": _auth_set,
    "deployment": _deployment,
    "device": _device,
    "release": _release,
}
"""The checks, by what a path names."""
