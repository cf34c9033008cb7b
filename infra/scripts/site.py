"""``make docs-site``: the pages of the repository as a site, in ``build/site``.

mkdocs takes one folder, so the pages are copied into one as they lie in the repository: their links stay the same.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from infra.paths import ROOT

SOURCE = ROOT / "build" / "site-source"


def main() -> int:
    """Copy the pages and let the mkdocs that is the first argument build them; its exit status."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE / "docs")
    for page in ROOT.glob("*.md"):
        shutil.copy(page, SOURCE)
    return subprocess.run([sys.argv[1], "build", "--quiet", *sys.argv[2:]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
