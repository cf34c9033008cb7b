"""A package, so that its server ends with its last test: pytest ends fixtures of a package only where there is one."""
