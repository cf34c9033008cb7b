"""Writes ``docs/roles.md`` from the tables of roles and features: ``python -m infra.scripts.roles_page [--check]``."""

from __future__ import annotations

from chalicelib.rights import Permission
from chalicelib.roles import rules
from infra.paths import ROOT
from infra.scripts.pages import main

PAGE = ROOT / "docs" / "roles.md"

HEAD = """# Roles

What users may do. The tables are written by `python -m infra.scripts.roles_page` from `chalicelib/roles/rules.py`.

A user has **roles**; a role is made of **permission sets**, and a set may end at some device groups or release tags
(its *scope*). Rights of several roles add up; what none of them gives is refused with 403. Everybody may use the own
account (`Basic`). A user without roles has every right, as has one with `RBAC_ROLE_PERMIT_ALL`: so have the first
user of a tenant, and those that are made without naming roles. Roles come with the enterprise plan: in smaller ones
every user that is made is an administrator. Who had less rights when a tenant moved to a smaller plan keeps just those,
until an administrator gives `RBAC_ROLE_PERMIT_ALL`.

```
POST /api/management/v2/useradm/roles
{"name": "Testers", "permission_sets_with_scope": [
  {"name": "ManageDevices", "scope": {"type": "DeviceGroups", "value": ["test"]}},
  {"name": "DeployToDevices", "scope": {"type": "DeviceGroups", "value": ["test"]}},
  {"name": "ReadReleases", "scope": {"type": "ReleaseTags", "value": ["candidate"]}}]}

PUT /api/management/v1/useradm/users/<id>
{"roles": ["Testers"]}
```

Or on the server: `manage user create EMAIL --tenant ID --role ROLE`; `manage user roles EMAIL` shows the roles of a
user, `manage user roles EMAIL ROLE...` makes these the only ones.
"""

RULES = """
## What holds for all of them

- **When a change holds.** Other roles of a user, and a device that moves to another group: at the next call. A changed
  role: at the next call that the same process answers, and within `LAMPLIGHTER_CONTROL_CACHE` seconds (5) everywhere.
  Sessions and personal access tokens go on, with the rights that their user has at each call.
- **Outside of the scope** is refused in the same way as what does not exist (403), and missing from every list, search,
  total, statistic and history. When several releases are deleted in one call, those outside of the scope stay.
- **Groups.** Whoever may manage a device may move it to any group. A device that leaves the groups at which the right
  ends is out of reach from then on, and nobody can bring one in from outside.
- **Deployments.** A user whose right ends at groups may deploy to one device of them or to one of the groups, not to a
  list of devices, to all, or to a filter. Such a user sees what was deployed to one of the groups, or to devices that
  are all in them now; in a group's deployment, only devices that are in the groups now (its statistics count all).
- **Deployments and releases.** If all that a role may see of releases ends at tags, its deployments end there, too: it
  sees and makes those of releases with such a tag. A role that says nothing of releases deploys any by its name.
- **Tags** say who may deploy a release, so a user whose right ends at tags gives and takes no others. **Saved filters**
  are seen, made and changed only by users whose right holds for every device: a filter may name other groups.
- **Groups of one role and tags of another** make no third scope: each role's rights stay together.
- **The tenant** shows its token (`GET v1 user/tenant`) to who may manage the devices of every group, and counts for
  each user the devices that the user sees.
- **Uploads** end nowhere: who has `UploadArtifacts` may add an artifact to any release by its name.
- **Audit logs** end nowhere either: who has `ReadAuditLogs` reads all entries.
- **Nobody gives, changes or takes more than they have.** To make, change or delete a user, a role or a permission set
  you need all of its rights, those of before and of after; for a permission set also those of each role that it is part
  of; for a user also those that the user has in other tenants. To assign a user to a child tenant you need the rights
  of the role there, without an end at groups or tags: those of another tenant have nothing to do with yours.
- **Administrators only**, which means users with every right: identity providers, the settings that all users share,
  the settings of the tenant, keeping the audit log for a shorter time, asking for another plan, and the end of the own
  tenant. `ManageTenants` is about child tenants and gives nothing of these.
- **Credentials** take more than a right: [users](users.md#what-takes-your-password).
- **A tenant keeps an administrator**: the last user with `RBAC_ROLE_PERMIT_ALL` can't be deleted or get other roles
  (409).
- **Built-in** roles and sets can't be changed or deleted (403), names are taken once (409), and what is in use (a role
  by a user, a set by a role) can't be deleted (409).
- Users who don't manage users see the built-in roles and permission sets, and the sets of their own roles: others would
  tell the names of groups.

## Permissions by path

A role, or a permission set of a tenant's own, may hold permissions in the API's older words:

| action | object | the same as |
|---|---|---|
| `http` | a method, or `any`, and a path, in which `.*` stands for any text | calls of that method and path |
| `any` | `any` | `SuperUser` |
| `VIEW_DEVICE` | `DEVICE_GROUP` and its name, or `any` | `ReadDevices` |
| `MANAGE_DEVICE` | the same | `ManageDevices` |
| `CREATE_DEPLOYMENT` | the same | `DeployToDevices` |
| `REMOTE_TERMINAL` | the same | `ConnectToDevices` |

Other regular expressions than `.*` are refused, and so is a path that no path of the API can match: a role that gives
nothing is a mistake. An `http` permission names its method and its path; what is left out is not `any`. Rights to
call by path open those routes and count for nothing else: their owner may hand on the same calls, and no other
rights. A permission for `any` method and the path `.*` is `SuperUser`. A set of `http` permissions that lists
`supported_scope_types` may be given a scope in a role; it then opens only routes about devices (or releases), and
ends at the scope there.
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
            "\n## Built-in permission sets\n\n| set | its users may | may end at |\n|---|---|---|",
            *sets,
            "\n## Rights\n\nEvery route of the management API asks for one of these.\n",
            "| right | in the sets |\n|---|---|",
            *rights,
            RULES,
        ]
    )


if __name__ == "__main__":
    main(PAGE, page(), __doc__)
