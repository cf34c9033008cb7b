"""Log lines for a terminal, instead of CloudWatch's JSON."""

from __future__ import annotations

import logging

APP = "lamplighter"
"""The name of the app's logger."""

_USUAL = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}


class Readable(logging.Formatter):
    """``10:15:02 WARNING lamplighter: lost a race request_id=...``: further fields follow the message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the standard library's name
        """The line without a traceback."""
        facts = [f"{name}={value}" for name, value in vars(record).items() if name not in _USUAL]
        return " ".join([super().formatMessage(record), *facts])


def use() -> None:
    """Let all loggers of this process write readable lines. Call again after importing the app."""
    logging.basicConfig(level=logging.INFO)
    # Uvicorn logs its own start and stop; this program reports them itself.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    for handler in (*logging.getLogger().handlers, *logging.getLogger(APP).handlers):
        handler.setFormatter(Readable())
