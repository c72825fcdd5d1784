"""Loads a model's ONNX file as its config says, or tells in one sentence why that cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnxruntime
import ort_openvino
import ort_options
from ort_checks import ConfigError


def load(config: Mapping[str, Any], args: Mapping[str, str], warn: Callable[[str], None]) -> Any:
    """The session of an instance that Triton starts with `args`. Raises `ConfigError`."""
    file = config.get("default_model_filename") or "model.onnx"
    path = Path(args["model_repository"], args["model_version"], file)
    if not path.is_file():
        raise ConfigError(f"the model file {path} does not exist: export the voice first")
    available = onnxruntime.get_available_providers()
    kind, device = args["model_instance_kind"], int(args["model_instance_device_id"])
    options = ort_options.session_options(config)
    if ort_openvino.wanted(config, kind, available):
        with _told(path):
            return ort_openvino.Session(path, options.intra_op_num_threads)
    chosen = ort_options.providers(config, kind, device, available, warn)
    with _told(path):
        session = onnxruntime.InferenceSession(str(path), options, providers=chosen)
    missing = [name for name, _ in chosen if name not in session.get_providers()]
    if missing:
        raise ConfigError(f"{', '.join(missing)} could not be started on device {device}: see the log for the cause")
    return session


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with a model file becomes one sentence: a ConfigError."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"the model file {path} could not be loaded: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    message = " ".join(str(error).split())
    if re.search("Protobuf parsing failed|No graph was found|does not have a graph|Unable to read the model", message):
        return "it is corrupt or incomplete, export it again"
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from \S+ failed:)?", "", message)
