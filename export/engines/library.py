"""TensorRT's Python module, which only those need who build plans."""

from __future__ import annotations

import importlib
from typing import Any

from export.errors import EngineError

# The first with strongly typed networks as the only kind that a later version builds.
OLDEST = (10, 12)
# The module's own name, and that of its part that finds the libraries of an image by itself.
_MODULES = ("tensorrt", "tensorrt_bindings")


def load() -> Any:
    """The module. Raises `EngineError` where there is none or too old a one."""
    for name in _MODULES:
        try:
            trt = importlib.import_module(name)
        except ImportError:
            continue
        if tuple(int(part) for part in trt.__version__.split(".")[:2]) < OLDEST:
            raise EngineError(f"TensorRT {trt.__version__} is too old: {'.'.join(map(str, OLDEST))} or later is needed")
        return trt
    raise EngineError(
        "there is no TensorRT for Python here: build in the image that serves, with docker/build-engines, "
        'or install exactly the version of its server (pip install "tensorrt==…")'
    )


def version(trt: Any) -> str:
    """The version as its library tells it, 10.14.1.48: the package may be 10.14.1.48.post1."""
    return ".".join(trt.__version__.split(".")[:4])
