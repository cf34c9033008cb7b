"""The context object that Lambda hands to a function next to its event."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import uuid4

from infra.local.engine.process import REGION
from infra.local.template import ACCOUNT


@dataclass(slots=True)
class LambdaContext:
    """What functions and libraries read of the real thing."""

    function_name: str
    seconds: float
    """How long the function may run."""
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512
    _begun: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """Where the function would live on AWS."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """Where its log would go on AWS."""
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        """One stream for all: there is one process."""
        return "local"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is given up."""
        return max(0, int((self._begun + self.seconds - time.monotonic()) * 1000))
