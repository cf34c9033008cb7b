"""The query parameters and headers of each operation. Tests fail if a handler reads one that is not listed here."""

from __future__ import annotations

from typing import Any, Final

from chalicelib import limits

Parameter = dict[str, Any]


def _query(description: str, kind: str = "string", *, required: bool = False, **more: Any) -> Parameter:
    return {"in": "query", "description": description, "schema": {"type": kind, **more}} | (
        {"required": True} if required else {}
    )


def _several(description: str, **item: Any) -> Parameter:
    return _query(description, "array", items={"type": "string", **item}, maxItems=limits.QUERY_VALUES)


def _header(description: str, *, required: bool = False, **more: Any) -> Parameter:
    return {"in": "header", "description": description, "schema": {"type": "string", **more}} | (
        {"required": True} if required else {}
    )


def _page_size(default: int = limits.PER_PAGE_DEFAULT, most: int = limits.PER_PAGE_MAX) -> Parameter:
    return _query("Rows of a page.", "integer", minimum=1, maximum=most, default=default)


_ORDER: Final[Parameter] = {"enum": ["asc", "desc"], "default": "desc"}
_STATUSES: Final[Parameter] = {"enum": ["pending", "inprogress", "finished", "aborted", "scheduled"]}
_DEVICE_STATUSES: Final[Parameter] = {"enum": ["accepted", "noauth", "pending", "preauthorized", "rejected"]}

SHARED: Final[dict[str, Parameter]] = {
    "page": _query("The page, from 1.", "integer", minimum=1, default=1),
    "per_page": _page_size(),
    "cursor": _query("The place of the page, from a link of another page; `page` alone counts the rows before it."),
    "created_after": _query("Only what was created at or after this time, in seconds since 1970.", "integer"),
    "created_before": _query("Only what was created at or before this time, in seconds since 1970.", "integer"),
    "sort": _query("Oldest (`asc`) or newest (`desc`) first.", **_ORDER),
    "If-Match": _header(
        "The `ETag` of the version to replace, with or without quotes; 412 if there is a newer one meanwhile."
    ),
    "If-None-Match": _header(
        "The `ETag` of an answer that the caller has; 304 without a body if it is still the same."
    ),
    "status": _several("Only devices with one of these statuses.", **_DEVICE_STATUSES),
    "tiers": _query("Whether to add the limit and the number of devices of each tier.", "boolean", default=False),
    "update_type": _query("Only releases with a payload of this type, such as `rootfs-image`."),
    "id": _several("Only what has one of these ids."),
    "tag": _several("Only releases with all of these tags."),
    "device_type": _query("Only what is compatible with a device type that contains this text, in any case."),
    "description": _query("Only what has a description that contains this text, in any case."),
    "name": _query("Only what has a name that contains this text, in any case."),
    "kind": _query("The kind of software. There are only releases.", enum=["release", "manifest"]),
}
"""Parameters of several operations. ``OPERATIONS`` names them, or has others of the same name in their place."""

_AUDITED: Final[dict[str, Parameter]] = {
    "actor_id": _query("Only what this user or device did."),
    "actor_type": _query("Only what an actor of this type did.", enum=["user", "device", "system"]),
    "actor_email": _query("Only what the user with this e-mail address did."),
    "object_id": _query("Only what was done to the object with this id."),
    "object_type": _query("Only what was done to objects of this type, such as `deployment`."),
    "object_deployment_name": _query("Only what was done to deployments of this name."),
}
_ISSUED: Final[dict[str, Parameter]] = {
    "issued_after": _query("Only alerts from this time on: RFC 3339, or seconds since 1970."),
    "issued_before": _query("Only alerts up to this time: RFC 3339, or seconds since 1970."),
}
_DEPLOYMENTS: Final[dict[str, Parameter]] = {
    "status": _several("Only deployments with one of these statuses.", **_STATUSES),
    "type": _query("Only deployments of this type.", enum=["software", "configuration"]),
    "sort": _query(
        "Oldest (`asc`) or newest (`desc`) first; or `match`: first those whose names are most like the searched text.",
        enum=["asc", "desc", "match"],
        default="desc",
    ),
}
_ROW_STATUSES: Final[Parameter] = _several(
    "Only devices with one of these statuses; `pause`, `active` and `finished` each stand for several of them."
)
_SIGNED: Final[dict[str, Parameter]] = {
    "x-men-expire": _query("When the link ends.", required=True, format="date-time"),
    "x-men-signature": _query("The link's signature.", required=True),
    "tenant_id": _query("The tenant that the link is of.", required=True),
}
_DRY_RUN: Final[dict[str, Parameter]] = {
    "dry_run": _query("Whether to answer 200 with a preview, and create nothing.", "boolean", default=False),
    "poll_interval": _query(
        "For a preview: seconds between two polls of a device.",
        "integer",
        minimum=limits.PREVIEW_INTERVAL_MIN,
        maximum=limits.PREVIEW_INTERVAL,
        default=1800,
    ),
    "update_time": _query(
        "For a preview: seconds that an update takes on a device.",
        "integer",
        minimum=0,
        maximum=limits.PREVIEW_INTERVAL,
        default=600,
    ),
    "silent_days": _query(
        "For a preview: days without a check-in after which a device counts as silent.",
        "integer",
        minimum=1,
        maximum=limits.PREVIEW_SILENT_DAYS,
        default=7,
    ),
}
_DATES: Final = ("created_after", "created_before")
_PAGED: Final = ("page", "per_page")
_PLACED: Final = (*_PAGED, "cursor")
_BY_NAME: Final = "`name:asc`, `name:desc`, or the same with `modified`. Anything else sorts by name."


def _of(*shared: str, **own: Parameter) -> dict[str, Parameter]:
    return {name: SHARED[name] for name in shared} | own


_RETURN: Final = _query("`console`: come back to the console.", enum=["console"])

OPERATIONS: Final[dict[str, dict[str, Parameter]]] = {
    "deviceAuthenticateV1": {
        "X-MEN-Signature": _header(
            "The signature of the body by the device's key, in base64: RSA PKCS #1 v1.5 with SHA-256, ECDSA with "
            "SHA-256, or Ed25519.",
            required=True,
        ),
        "Authorization": _header("`Bearer` and the tenant's token, unless that is in the body."),
    },
    "deviceDownloadConfigurationV1": {"Range": _header("The part of the file to send, `bytes=FIRST-LAST`.")} | _SIGNED,
    "deviceListArtifactsV1": {
        "release_name": _query("The release.", required=True),
        "device_type": _query("The device type that the artifacts are for.", required=True),
    },
    "deviceNextByQueryV1": {
        "artifact_name": _query("The artifact that is installed."),
        "device_type": _query("The device's type."),
    },
    "acceptAutomaticallyV2": {"X-MEN-Signature": _header("The device's signature of the body.", required=True)},
    "changeDeviceTagsV1": _of("If-Match"),
    "completeOidcLoginV1": {
        "state": _query("What the login began with."),
        "code": _query("The identity provider's code."),
        "iss": _query("The identity provider (RFC 9207)."),
    },
    "countDevicesV2": {"status": _query("Only devices with this status.", **_DEVICE_STATUSES)},
    "createDeploymentForGroupV1": _DRY_RUN,
    "createDeploymentV1": _DRY_RUN,
    "createDeploymentV2": _DRY_RUN,
    "retryDeploymentV1": _DRY_RUN,
    "deleteReleasesV2": {"name": _several("The names of the releases to delete.")},
    "downloadFileV1": {"path": _query("The file's absolute path on the device.", required=True)},
    "estimateCostV1": {
        "devices": _query("Devices of the fleet.", "integer", minimum=1, default=1000),
        "poll": _query("Seconds between two polls of a device.", "number", default=1800),
        "report": _query("Seconds between two reports of a device's inventory.", "number", default=86_400),
        "updates": _query("Updates of each device in a month.", "number", default=1),
        "artifact": _query("MB that an update brings to a device.", "number", default=0),
        "connected": _query("Devices that stay connected for remote access.", "integer", default=0),
    },
    "exportDeploymentDevicesV1": _of(
        "cursor",
        per_page=_page_size(limits.EXPORT_DEVICES, limits.EXPORT_DEVICES),
        format=_query("The format: a table, or a JSON document in each line.", enum=["csv", "jsonl"]),
        Accept=_header("`text/csv` or `application/x-ndjson`, instead of `format`."),
    ),
    "exportLogsV1": _AUDITED
    | _of(
        *_DATES,
        "sort",
        limit=_query("At most this many entries.", "integer", minimum=0),
        format_separator=_query("What joins the names of nested members in a column's title.", default="."),
        ignore=_several("Members to leave out."),
    ),
    "beginOidcLoginV1": {"ui": _RETURN},
    "beginSsoLoginV1": {"ui": _RETURN},
    "listAlertsV1": _of(*_PAGED)
    | _ISSUED
    | {"sort_ascending": _query("Whether the oldest come first.", "boolean", default=False)},
    "listArtifactsPageV1": _of(*_PAGED, "name", "description", "device_type", sort=_query(_BY_NAME)),
    "listArtifactsV1": _of("name", "description", "device_type"),
    "listArtifactsV2": _of(
        *_PAGED,
        name=_several("The names of artifacts; one that ends with `*` stands for all names that begin so."),
        description=_query("The description; with `*` at its end, how it begins."),
        device_type=_query("The compatible device type; with `*` at its end, how it begins."),
    ),
    "listChildrenV2": _of("page", "tiers", per_page=_page_size(limits.TENANTS_PER_PAGE)),
    "listDeltaJobsV2": _of(*_PAGED),
    "listDeploymentDevicesPageV1": _of(
        *_PAGED,
        status=_ROW_STATUSES,
        reason=_query(
            "Only devices that failed for this reason: its id or text in `outcomes`. Then `status` has no effect."
        ),
    ),
    "listDeploymentsV1": _of(
        *_PLACED,
        *_DATES,
        search=_query("Only deployments whose name or release contains a word of this text."),
    )
    | _DEPLOYMENTS,
    "listDeploymentsV2": _of(
        *_PLACED,
        *_DATES,
        name=_several("Only deployments whose name or release contains a word of one of these texts."),
        id=_several("Only deployments with one of these ids.", format="uuid"),
        id_attribute=_query("Also deployments for the devices whose attribute of this name has the value of `name`."),
        id_scope=_query("The scope of `id_attribute`.", enum=["identity", "inventory", "tags"]),
    )
    | _DEPLOYMENTS,
    "listDeviceDeploymentsV1": _of(
        "page",
        "cursor",
        per_page=_page_size(limits.DEVICE_HISTORY_PER_PAGE, limits.DEVICE_HISTORY_PER_PAGE),
        status=_ROW_STATUSES,
    ),
    "listDeviceInventoriesV1": _of(
        *_PAGED,
        sort=_query("An attribute as `scope/name`, then `:asc` or `:desc`; several are separated by commas."),
        group=_query("Only devices of this group."),
        has_group=_query("Only devices that are, or are not, in a group.", "boolean"),
    )
    | {
        "attributes": {
            "in": "query",
            "description": "Any other parameter is a filter, `scope/name=value`; without a scope, it is of "
            "`inventory`. Several have to hold together.",
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
            "style": "form",
            "explode": True,
            "example": {"inventory/device_type": "raspberrypi4"},
        }
    },
    "listIdentitiesV2": _of(*_PLACED),
    "previewAcceptanceRuleV2": _of(*_PAGED),
    "listDevicesV2": _of(*_PAGED, "status", "id"),
    "listEventsV1": _of(*_PAGED, integration_id=_query("Only events for this integration.", format="uuid")),
    "listFiltersV2": _of(*_PAGED),
    "listGroupDevicesV1": _of(*_PAGED),
    "listGroupsV1": {"status": _query("Only groups with a device of this status.", **_DEVICE_STATUSES)},
    "listIntegrationsV1": _of(*_PAGED),
    "listPartsV1": _of(*_PAGED),
    "listLatestAlertsV1": _of(*_PAGED)
    | _ISSUED
    | {"level_from": _query("The lowest level to show.", enum=["OK", "CRITICAL"], default="CRITICAL")},
    "listLogsV1": _of("page", *_DATES, "sort", per_page=_page_size(limits.AUDIT_PER_PAGE)) | _AUDITED,
    "listPermissionSetsV2": _of(*_PAGED),
    "listReleasesPageV1": _of(*_PAGED, "name", "description", "device_type", "update_type", sort=_query(_BY_NAME)),
    "listReleasesV1": _of("name", "description", "device_type", "update_type"),
    "listReleasesV2": _of(
        *_PAGED,
        "name",
        "update_type",
        "tag",
        sort=_query("`name`, `modified`, `artifacts_count` or `tags`, then `:asc` or `:desc`. Else sorted by name."),
    ),
    "listRolesV2": _of(*_PAGED),
    "listSoftwareTagsV1alpha1": _of("kind"),
    "listSoftwareV1alpha1": _of(
        *_PAGED,
        "update_type",
        "tag",
        "kind",
        name=_several("Only software of one of these names; not together with `name_prefix`."),
        name_prefix=_query("Only software whose name begins so."),
        sort=_query("`name`, `modified` or `tags`, then `:asc` or `:desc`. Anything else sorts by name."),
    ),
    "listUsersV1": _of(
        "id",
        *_DATES,
        email=_several("Only users with one of these e-mail addresses."),
        updated_after=_query("Only users who were changed at or after this time, in seconds since 1970.", "integer"),
        updated_before=_query("Only users who were changed at or before this time, in seconds since 1970.", "integer"),
    ),
    "loginV1": {"X-Session": _header("Ask for a cookie instead of a token.", enum=["cookie"])},
    "logoutV1": {
        "everywhere": _query("Whether to end all of the user's sessions.", "boolean", default=False),
        "session": _query("The id of another session of the user, to end that one instead.", "string"),
    },
    "replaceDeviceTagsV1": _of("If-Match"),
    "saveMySettingsV1": _of("If-Match"),
    "saveSharedSettingsV1": _of("If-Match"),
    "saveTenantSettingsV2": _of("If-Match"),
    "searchByFilterV2": _of(*_PAGED),
    "searchDevicesV2": _of(*_PAGED),
    "showDeploymentReportV1": {
        "format": _query("The format.", enum=["json", "csv"]),
        "Accept": _header("`text/csv` for a table, instead of `format`."),
    },
    "showDeploymentV1": {
        "outcomes": _query("Whether to add why devices failed, and when devices ended.", "boolean", default=False)
    },
    "showDeploymentLogV1alpha1": {"format": _query("The log's format.", enum=["text"], default="text")},
    "showTenantV1": _of("tiers"),
    "showTenantV2": _of("tiers"),
    "userExistsV1": {"email": _query("The e-mail address.", required=True, format="email")},
    "verifyPlanV1": {
        "X-Mender-Required-Minimal-Plan": _header(
            "The plan, or a lesser one.", enum=["os", "professional", "enterprise"]
        ),
        "X-Mender-Required-Addon": _header("An add-on.", enum=["configure", "monitor", "troubleshoot"]),
    },
}
"""The parameters of operations by operation id."""
