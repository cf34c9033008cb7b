"""The context object that Lambda passes to a function with its event."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import uuid4

from infra.local.engine.process import REGION
from infra.local.template import ACCOUNT


@dataclass(slots=True)
class LambdaContext:
    """The members of Lambda's context that functions and libraries read."""

    function_name: str
    seconds: float
    """Timeout of the function."""
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 512
    _begun: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """The ARN that the function would have on AWS."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """The log group that it would have on AWS."""
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        """The log stream, the same for all functions of this process."""
        return "local"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the timeout."""
        return max(0, int((self._begun + self.seconds - time.monotonic()) * 1000))
