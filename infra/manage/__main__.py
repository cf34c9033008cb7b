"""``python -m infra.manage``."""

from infra.manage.cli import main

main()
