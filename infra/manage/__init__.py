"""The admin's command: ``python -m infra.manage``. It uses the app's own services, with the admin's rights."""
