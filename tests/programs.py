"""Programs that some tests run and pip cannot bring."""

from __future__ import annotations

import os
import shutil

import pytest

PACKAGES = {
    "chromium": "chromium",
    "kubectl": "kubernetes-client",
    "node": "nodejs",
    "prometheus": "prometheus",
    "promtool": "prometheus",
}
"""Each program's package on Debian."""


def needed(name: str) -> str:
    """The program's path.

    Without it the test is left out on a person's machine, and fails where everything has to be tested.
    """
    path = shutil.which(name)
    if path is None:
        missing = f"{name} is missing: apt install {PACKAGES[name]}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path
