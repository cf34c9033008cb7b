"""The audit log for other features: recording entries. ``reading`` has what users read."""

from chalicelib.auditlogs.service.recording import ends, erase, record, verify
from chalicelib.auditlogs.shapes import Action, Object, ObjectType

__all__ = ["Action", "Object", "ObjectType", "ends", "erase", "record", "verify"]
