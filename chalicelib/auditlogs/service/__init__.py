"""Use cases of the audit log: what every feature calls. What users read of it is in ``reading``."""

from chalicelib.auditlogs.service.recording import ends, erase, record, verify
from chalicelib.auditlogs.shapes import Action, Object, ObjectType

__all__ = ["Action", "Object", "ObjectType", "ends", "erase", "record", "verify"]
