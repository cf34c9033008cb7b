"""``python -m infra.manage``."""

from infra.manage.program import main

main()
