"""The rights that routes ask for."""

from chalicelib.rights import Permission

__all__ = ["Permission"]
