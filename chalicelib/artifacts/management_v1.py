"""Management API v1: artifacts, releases, storage."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib import limits
from chalicelib.artifacts import rules, service, shapes
from chalicelib.artifacts.service import trust
from chalicelib.errors import BadRequest, Conflict
from chalicelib.http import content, paging, refusals
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Accepted, Created, NoContent, Reply, UserRequest, accepted, created, no_content
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(
    bp,
    "POST /management/v1/deployments/artifacts",
    Permission.ARTIFACTS_UPLOAD,
    stream_limit=limits.ARTIFACT_UPLOAD,
)
def upload_artifact(request: UserRequest) -> Created:
    """Upload an artifact, as the last part of a form.

    Raises:
        Conflict: there is an artifact with the same name and dependencies, or with the requested id.
        Unprocessable: the release has as many artifacts as it can have, the artifact's header is too large, or no
            trusted key has signed it, which the tenant demands.
    """
    # Imported here: only uploads need it.
    from chalicelib.http import multipart

    content_type = request.headers.get("content-type")
    form = multipart.read_form(request.stream(), content_type, fields=rules.UPLOAD_FIELDS, file="artifact")
    if form.file is None:
        raise BadRequest("request does not contain the artifact file")
    artifact_id = service.upload(request.tenant, form.fields, form.file)
    return created(f"/api/management/v1/deployments/artifacts/{artifact_id}")


@user_route(bp, "GET /management/v1/deployments/artifacts", Permission.RELEASES_READ)
def list_artifacts(request: UserRequest) -> Reply[list[shapes.Artifact]]:
    """List all artifacts that match, sorted by name."""
    artifacts, _ = service.listed(request.tenant, _test(request), rules.Sort(), tags=request.release_tags)
    return Reply(200, artifacts)


@user_route(bp, "GET /management/v1/deployments/artifacts/list", Permission.RELEASES_READ)
def list_artifacts_page(request: UserRequest) -> Reply[list[shapes.Artifact]]:
    """List artifacts, page by page."""
    page = paging.read_page(request, lenient=True)
    sort = rules.read_sort(request.query.get("sort"))
    artifacts, total = service.listed(
        request.tenant, _test(request), sort, start=page.start, stop=page.stop, tags=request.release_tags
    )
    return Reply(200, artifacts, paging.headers(request, page, total=total))


def _test(request: UserRequest) -> service.Test | None:
    query = request.query
    return service.matching(
        name=query.get("name"), description=query.get("description"), device_type=query.get("device_type")
    )


@user_route(bp, "GET /management/v1/deployments/artifacts/{id}", Permission.RELEASES_READ, within={"artifact": "id"})
def show_artifact(request: UserRequest, id: str) -> Reply[shapes.Artifact]:
    """Get an artifact."""
    return Reply(200, service.show(request.tenant, id))


@user_route(bp, "PUT /management/v1/deployments/artifacts/{id}", Permission.RELEASES_MANAGE, within={"artifact": "id"})
def describe_artifact(request: UserRequest, body: shapes.ArtifactUpdate, id: str) -> NoContent:
    """Change an artifact's description.

    Raises:
        Unprocessable: a deployment has used the artifact.
    """
    service.describe(request.tenant, id, body.description)
    return no_content()


@user_route(
    bp,
    "DELETE /management/v1/deployments/artifacts/{id}",
    Permission.RELEASES_MANAGE,
    within={"artifact": "id"},
)
def delete_artifact(request: UserRequest, id: str) -> NoContent:
    """Delete an artifact.

    Raises:
        Conflict: an unfinished deployment uses its release.
    """
    service.delete(request.tenant, id)
    return no_content()


@user_route(
    bp,
    "GET /management/v1/deployments/artifacts/{id}/download",
    Permission.RELEASES_READ,
    within={"artifact": "id"},
)
def download_artifact(request: UserRequest, id: str) -> Reply[shapes.Link]:
    """Get a link to an artifact's file."""
    return Reply(200, service.download_link(request.tenant, id))


@user_route(bp, "POST /management/v1/deployments/artifacts/directupload", Permission.ARTIFACTS_UPLOAD)
def request_upload(request: UserRequest, body: bytes) -> Reply[shapes.UploadLink] | Reply[shapes.PartedUpload]:
    """Get a link for uploading an artifact straight to the storage, or announce its upload in parts.

    The body may have the fields of an upload form. With ``part_size`` it starts an upload in parts, which can be paused
    and resumed. Mender's API has no body.

    Raises:
        Conflict: there is an artifact with the requested id.
        TooLarge: the size exceeds the limit of artifacts or the storage that the tenant has left.
    """
    about = content.decode(body, shapes.Announcement) if body.strip() else shapes.Announcement()
    fields = {"artifact_id": about.artifact_id, "description": about.description, "size": str(about.size)}
    if about.part_size:
        return Reply(200, service.request_parts(request.tenant, fields, about.part_size))
    return Reply(200, service.request_link(request.tenant, fields))


@user_route(bp, "GET /management/v1/deployments/artifacts/directupload/{id}/parts", Permission.ARTIFACTS_UPLOAD)
def list_parts(request: UserRequest, id: str) -> Reply[shapes.Parts]:
    """List the parts of an upload, page by page: which have arrived, and links for the others.

    Not part of Mender's API.

    Raises:
        Conflict: the upload is complete, or was refused or stopped.
    """
    page = paging.read_page(request)
    found = service.list_parts(request.tenant, id, start=page.start, stop=page.stop)
    return Reply(200, found, paging.headers(request, page, total=found.count))


@user_route(bp, "DELETE /management/v1/deployments/artifacts/directupload/{id}", Permission.ARTIFACTS_UPLOAD)
def stop_upload(request: UserRequest, id: str) -> NoContent:
    """Stop a direct upload, and delete what has arrived. Not part of Mender's API.

    Raises:
        Conflict: it is an artifact already.
    """
    service.give_up(request.tenant, id)
    return no_content()


@user_route(bp, "GET /management/v1/deployments/artifacts/directupload/{id}", Permission.ARTIFACTS_UPLOAD)
def show_upload(request: UserRequest, id: str) -> Reply[shapes.Verdict]:
    """Get the state of a direct upload. Not part of Mender's API."""
    return Reply(200, service.verdict(request.tenant, id, refusals.to_store))


@user_route(bp, "POST /management/v1/deployments/artifacts/directupload/{id}/complete", Permission.ARTIFACTS_UPLOAD)
def complete_upload(request: UserRequest, body: bytes, id: str) -> Accepted:  # noqa: ARG001  # it is ignored
    """Finish a direct upload, so that the file is verified.

    What the body says about the file is ignored, because the file itself is read.

    Raises:
        Conflict: the upload was refused, or parts of it are missing; the text says why, or which.
    """
    service.complete(request.tenant, id)
    return accepted()


@user_route(bp, "GET /management/v1/deployments/config", Permission.RELEASES_READ)
def show_config(request: UserRequest) -> Reply[shapes.Configuration]:  # noqa: ARG001  # the same for everyone
    """Get the settings for generating deltas. This server generates none."""
    return Reply(200, shapes.Configuration(shapes.DeltaConfiguration(enabled=False)))


@user_route(
    bp,
    "PUT /management/v1/deployments/config/binary_delta",
    Permission.RELEASES_MANAGE,
    everywhere=True,  # it would apply to all releases
)
def configure_deltas(request: UserRequest, body: shapes.DeltaOptions) -> NoContent:  # noqa: ARG001  # the same for everyone
    """Change the settings for generating deltas. Always refused: this server generates none.

    Raises:
        Conflict: deltas are switched off.
    """
    raise Conflict("delta generation is disabled")


@user_route(
    bp,
    "POST /management/v1/deployments/artifacts/generate",
    Permission.ARTIFACTS_UPLOAD,
    stream_limit=limits.GENERATED_FILE,
)
def generate_artifact(request: UserRequest) -> Created:
    """Generate an artifact from a file, which is the last part of a form.

    Raises:
        Conflict: there is an artifact with the same name and dependencies.
        Unprocessable: there is an artifact with the same name and device types, the release is full, or the tenant
            demands signatures.
    """
    from chalicelib.artifacts.service import generating  # Imported here: it loads the parser and the writer.
    from chalicelib.http import multipart

    content_type = request.headers.get("content-type")
    form = multipart.read_form(request.stream(), content_type, fields=generating.FIELDS, file="file")
    if form.file is None:
        raise BadRequest("request does not contain the file")
    artifact_id = generating.generate(request.tenant, form.fields, form.file)
    return created(f"/api/management/v1/deployments/artifacts/generate/{artifact_id}")


@user_route(bp, "GET /management/v1/deployments/limits/{name}", Permission.RELEASES_READ)
def show_storage_limit(request: UserRequest, name: str) -> Reply[shapes.StorageLimit]:
    """Get how many bytes of artifacts the tenant may store, and how many it stores."""
    return Reply(200, service.storage(request.tenant, name))


@user_route(bp, "GET /management/v1/deployments/deployments/releases", Permission.RELEASES_READ)
def list_releases(request: UserRequest) -> Reply[list[shapes.ReleaseV1]]:
    """List the first 20 releases that match, sorted by name."""
    releases, _ = service.listed_releases(
        request.tenant, _release_filter(request), rules.Sort(), start=0, stop=limits.PER_PAGE_DEFAULT
    )
    return Reply(200, [shapes.in_v1(release) for release in releases])


@user_route(bp, "GET /management/v1/deployments/deployments/releases/list", Permission.RELEASES_READ)
def list_releases_page(request: UserRequest) -> Reply[list[shapes.ReleaseV1]]:
    """List releases, page by page."""
    page = paging.read_page(request, lenient=True)
    releases, total = service.listed_releases(
        request.tenant,
        _release_filter(request),
        rules.read_sort(request.query.get("sort")),
        start=page.start,
        stop=page.stop,
    )
    headers = paging.headers(request, page, total=total)
    return Reply(200, [shapes.in_v1(release) for release in releases], headers)


def _release_filter(request: UserRequest) -> service.ReleaseFilter:
    query = request.query
    return service.ReleaseFilter(
        name=query.get("name") or "",
        description=query.get("description") or "",
        device_type=query.get("device_type") or "",
        update_type=query.get("update_type") or "",
        within=request.release_tags,
    )


@user_route(bp, "GET /management/v1/deployments/trust/keys", Permission.RELEASES_READ)
def list_trusted_keys(request: UserRequest) -> Reply[list[shapes.TrustedKey]]:
    """List the public keys whose signatures on artifacts the tenant trusts. Not part of Mender's API."""
    return Reply(200, trust.list_keys(request.tenant))


@user_route(bp, "POST /management/v1/deployments/trust/keys", Permission.SETTINGS_MANAGE, sign_in=SignIn.RECENT)
def add_trusted_key(request: UserRequest, body: shapes.NewTrustedKey) -> Created:
    """Trust a public key. Not part of Mender's API.

    Raises:
        Conflict: the key is trusted already, or another one has the name.
        Unprocessable: there are too many.
    """
    key_id = trust.add_key(request.tenant, body.name, body.pem)
    return created(f"/api/management/v1/deployments/trust/keys/{key_id}")


@user_route(bp, "DELETE /management/v1/deployments/trust/keys/{id}", Permission.SETTINGS_MANAGE, sign_in=SignIn.SESSION)
def delete_trusted_key(request: UserRequest, id: str) -> NoContent:
    """Trust a key no longer. Artifacts that it has signed remain. Not part of Mender's API."""
    trust.delete_key(request.tenant, id)
    return no_content()


@user_route(bp, "GET /management/v1/deployments/trust/policy", Permission.RELEASES_READ)
def show_trust_policy(request: UserRequest) -> Reply[shapes.TrustPolicy]:
    """Get what happens to artifacts without a trusted signature, and to downgrades. Not part of Mender's API."""
    return Reply(200, trust.policy(request.tenant))


@user_route(bp, "PUT /management/v1/deployments/trust/policy", Permission.SETTINGS_MANAGE, sign_in=SignIn.RECENT)
def set_trust_policy(request: UserRequest, body: shapes.TrustPolicy) -> NoContent:
    """Set what happens to artifacts without a trusted signature, and to downgrades. Not part of Mender's API."""
    trust.set_policy(request.tenant, body)
    return no_content()
