"""Writes ``docs/roles.md`` from the tables of roles and rights: ``python -m infra.scripts.roles_page [--check]``."""

from __future__ import annotations

from chalicelib.rights import Permission
from chalicelib.roles import rules
from infra.paths import ROOT
from infra.scripts.pages import main

PAGE = ROOT / "docs" / "roles.md"

HEAD = """# Roles

What users may do. `make docs` writes this page from `chalicelib/roles/rules.py` and `infra/scripts/roles_page.py`.

A user has **roles**. A role consists of **permission sets**, and a permission set can be limited to some device
groups or release tags (its *scope*). The rights of several roles add up; anything else is refused with 403. Every
user may use their own account (`Basic`).

**Administrators** have every right: users with the role `RBAC_ROLE_PERMIT_ALL`, and users without roles, such as the
first user of a tenant and users that were created without naming roles. Roles need the enterprise plan; in smaller
plans every new user is an administrator. When a tenant moves to a smaller plan, users with fewer rights keep them
until an administrator gives them `RBAC_ROLE_PERMIT_ALL`.

```
POST /api/management/v2/useradm/roles
{"name": "Testers", "permission_sets_with_scope": [
  {"name": "ManageDevices", "scope": {"type": "DeviceGroups", "value": ["test"]}},
  {"name": "DeployToDevices", "scope": {"type": "DeviceGroups", "value": ["test"]}},
  {"name": "ReadReleases", "scope": {"type": "ReleaseTags", "value": ["candidate"]}}]}

PUT /api/management/v1/useradm/users/<id>
{"roles": ["Testers"]}
```

An admin can do the same with `manage user create EMAIL --tenant ID --role ROLE`. `manage user roles EMAIL` shows the
roles of a user, and `manage user roles EMAIL ROLE...` replaces them.
"""

RULES = """
## Rules

- **When a change takes effect.** Giving a user other roles, or moving a device to another group: at the next call.
  Changing a role: at the next call that the same process answers, and within `LAMPLIGHTER_CONTROL_CACHE` seconds (5)
  everywhere. Sessions and personal access tokens stay valid, with the rights that their user has at each call.
- **Outside of the scope** a thing is refused like one that does not exist (403), and is missing from every list,
  search, total, statistic and history. When several releases are deleted in one call, those outside of the scope
  stay.
- **Groups.** A user who may manage a device may move it to any group. If it leaves the groups of the user's scope,
  the user no longer reaches it, and cannot move devices in from outside.
- **Deployments.** A user who is limited to groups may deploy to one device in them or to one of the groups, but not
  to a list of devices, to all devices, or to a filter. The user sees deployments to one of the groups, and
  deployments whose devices are all in the groups now. In a deployment to a group the user sees only devices that are
  in the groups now; its statistics count all.
- **Deployments and releases.** If a role may see only releases with certain tags, its deployments are limited to
  these releases too. A role without any rights to releases may deploy any release by its name.
- **Tags** decide who may deploy a release. So a user who is limited to tags may add and remove only these tags.
- **Saved filters** are visible only to users whose right holds for all devices, since a filter may name other groups.
- **Groups of one role and tags of another** do not combine: the rights of each role stay together.
- **The tenant token** (`GET v1 user/tenant`) is shown only to users who may manage the devices of every group. The
  same call counts only devices that the user may see.
- **Uploads and the audit log** have no scope: with `UploadArtifacts` a user may add an artifact to any release, and
  with `ReadAuditLogs` read all entries.
- **Nobody gives, changes or takes more rights than they have.** To create, change or delete a user, a role or a
  permission set, you need all of its rights, before and after the change: for a permission set also those of each
  role that contains it, for a user also those that the user has in other tenants. To assign a user to a child tenant,
  you need the rights of the role there without any scope, because your groups and tags mean nothing in another
  tenant.
- **For administrators only**: identity providers, the settings that all users share, the settings of the tenant,
  shortening how long the audit log is kept, asking for another plan, and ending the tenant. `ManageTenants` is about
  child tenants and includes none of these.
- **Changing credentials** takes more than a right: [users](users.md#what-takes-your-password).
- **A tenant keeps an administrator**: the last user with `RBAC_ROLE_PERMIT_ALL` can't be deleted or get other roles
  (409).
- **Built-in** roles and sets can't be changed or deleted (403). Names are unique (409). A role that a user has, or a
  set that a role contains, can't be deleted (409).
- **Without the right to manage users**, a user sees the built-in roles and permission sets and the sets of their own
  roles, because others would reveal names of groups.

## Permissions by path

A role, or a permission set of your own, can also contain permissions in an older form of the API:

| action | object | the same as |
|---|---|---|
| `http` | a method or `any`, and a path in which `.*` matches any text | calls of that method and path |
| `any` | `any` | `SuperUser` |
| `VIEW_DEVICE` | `DEVICE_GROUP` and its name, or `any` | `ReadDevices` |
| `MANAGE_DEVICE` | the same | `ManageDevices` |
| `CREATE_DEPLOYMENT` | the same | `DeployToDevices` |
| `REMOTE_TERMINAL` | the same | `ConnectToDevices` |

No regular expressions other than `.*` are accepted, and no path that matches nothing in the API: a role that gives
nothing is a mistake. An `http` permission must have a method and a path. Permissions by path open these routes and
nothing else, and their owner may give others the same paths only. Method `any` with the path `.*` is `SuperUser`. A
set of `http` permissions that lists `supported_scope_types` can get a scope in a role; it then opens only routes
about devices (or releases), limited to that scope.
"""


def page() -> str:
    """The page's text."""
    roles = []
    for role in rules.ROLES.values():
        names = ", ".join(each.name for each in role.permission_sets_with_scope or ())
        roles.append(f"| `{role.name}` | {role.description} | {names} |")
    sets = [
        f"| `{name}` | {about.description} | {', '.join(about.supported_scope_types or ()) or '-'} |"
        for name, about in rules.BUILT_IN.items()
    ]
    rights = [
        f"| `{permission}` | {', '.join(name for name, given in rules.SETS.items() if permission in given)} |"
        for permission in Permission
    ]
    return "\n".join(
        [
            HEAD,
            "## Built-in roles\n\n| role | what for | permission sets |\n|---|---|---|",
            *roles,
            "\n## Built-in permission sets\n\n| set | its users may | possible scope |\n|---|---|---|",
            *sets,
            "\n## Rights\n\nEvery route of the management API requires one of these.\n",
            "| right | in the permission sets |\n|---|---|",
            *rights,
            RULES,
        ]
    )


if __name__ == "__main__":
    main(PAGE, page(), __doc__)
