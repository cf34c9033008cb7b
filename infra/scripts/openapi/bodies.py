"""Request bodies that a route reads itself, in several formats or in parts, so that no shape is declared."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.artifacts import shapes as artifacts
from chalicelib.deployments import shapes as deployments
from chalicelib.devauth import shapes as devauth
from chalicelib.tenantadm import shapes as tenantadm
from chalicelib.useradm import shapes as useradm

JSON: Final = "application/json"
CSV: Final = "text/csv"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

Body = dict[str, Any]
"""By media type: a shape, or a schema."""

_FILE: Final = {"type": "string", "format": "binary"}


def _text(description: str) -> Body:
    return {"type": "string", "description": description}


_UPLOAD: Final = {
    "type": "object",
    "properties": {
        "artifact_id": _text("The id that the artifact gets: a UUID; a new one if this is left out."),
        "description": _text("The artifact's description."),
        "size": _text("The file's size in bytes; without it the file is read to its end."),
        "artifact": _FILE | {"description": "The artifact's file: the form's last part."},
    },
    "required": ["artifact"],
}
_GENERATE: Final = {
    "type": "object",
    "properties": {
        "name": _text("The release that the artifact belongs to."),
        "description": _text("The artifact's description."),
        "device_types_compatible": _text("The device types that it is for, separated by commas."),
        "type": _text("What installs it: `single_file`."),
        "args": _text("The update module's arguments, as a JSON text.")
        | {"contentMediaType": JSON, "contentSchema": artifacts.GenerateArguments},
        "file": _FILE | {"description": "The file: the form's last part."},
    },
    "required": ["name", "device_types_compatible", "type", "args", "file"],
}
_TO_DEVICE: Final = {
    "type": "object",
    "properties": {
        "path": _text("The file's absolute path on the device."),
        "uid": _text("The user id of its owner."),
        "gid": _text("The group id of its owner."),
        "mode": _text("Its permissions, as an octal number."),
        "file": _FILE | {"description": "The file: the form's last part."},
    },
    "required": ["path", "file"],
}

READ_BY_VIEWS: Final[dict[str, Body]] = {
    "acceptAutomaticallyV2": {JSON: devauth.AuthRequest},
    "beginTrialV2": {JSON: tenantadm.SignUp, FORM: tenantadm.SignUp},
    "completeUploadV1": {JSON: {"type": "object"}},
    "createProviderV1": {JSON: useradm.NewProvider},
    "deviceAuthenticateV1": {JSON: devauth.AuthRequest},
    "generateArtifactV1": {MULTIPART: _GENERATE},
    "loginV1": {JSON: useradm.LoginOptions},
    "registerIdentitiesV2": {CSV: _text("The first line has names of attributes."), JSON: list[devauth.NewIdentity]},
    "requestUploadV1": {JSON: artifacts.Announcement},
    "retryDeploymentV1": {JSON: deployments.NewRetry},
    "searchDevicesV2": {JSON: devauth.Search, FORM: devauth.Search},
    "setDeviceStateV1": {JSON: {"type": "object"}},
    "signUpV2": {JSON: tenantadm.SignUp, FORM: tenantadm.SignUp},
    "updateProviderV1": {JSON: useradm.NewProvider},
    "uploadArtifactV1": {MULTIPART: _UPLOAD},
    "uploadFileV1": {MULTIPART: _TO_DEVICE},
}
"""By operation id."""

OPTIONAL: Final = {"completeUploadV1", "loginV1", "requestUploadV1", "retryDeploymentV1"}
"""Operations whose body is optional."""
