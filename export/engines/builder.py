"""ONNX file → TensorRT plan."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.engines.progress import Progress
from export.errors import EngineError
from server.plans import Shapes


@dataclass(frozen=True)
class BuildOptions:
    """How hard the builder tries (0 to 5; TensorRT's own default is 3) and how much scratch memory kernels may take.

    `workspace` is in bytes; None leaves it to TensorRT, which takes what the card has.
    """

    level: int = 3
    workspace: int | None = None


def build(
    trt: Any, onnx: Path, shapes: Sequence[Shapes], options: BuildOptions, cache: bytes, progress: Progress
) -> tuple[bytes, bytes]:
    """The plan of an ONNX file for these shapes, and the timing cache with what the build has learnt.

    `trt` is TensorRT's module. The types are those of the graph and no others. `cache` is a timing cache of an earlier
    build or empty; one of another version or GPU is not used. Raises `EngineError` with all that TensorRT complains of.
    """
    complaints: list[str] = []
    logger = _logger(trt, complaints)
    builder = trt.Builder(logger)
    # From TensorRT 11 on there is no other kind, and may be no flag.
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(onnx)):
        errors = [parser.get_error(number) for number in range(parser.num_errors)]
        raise EngineError(f"TensorRT does not take {onnx.name}: {_listed([_parsed(error) for error in errors])}")
    config = builder.create_builder_config()
    config.builder_optimization_level = options.level
    if options.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace)
    for bounds in shapes:
        profile = builder.create_optimization_profile()
        for name, shape in bounds.items():
            profile.set_shape(name, shape["min"], shape["opt"], shape["max"])
        if config.add_optimization_profile(profile) < 0:
            raise EngineError(f"TensorRT does not take the shapes of {onnx.name}: {_listed(complaints)}")
    timings = config.create_timing_cache(cache)
    if timings is None or not config.set_timing_cache(timings, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)
    config.progress_monitor = _monitor(trt, progress)
    plan = _interruptible(builder, network, config, progress)
    if plan is None:
        raise EngineError(f"TensorRT cannot build {onnx.name}: {_listed(complaints)}")
    learnt = config.get_timing_cache()
    return bytes(plan), bytes(learnt.serialize()) if learnt is not None else cache


def _interruptible(builder: Any, network: Any, config: Any, progress: Progress) -> Any:
    """Build in another thread, so that Ctrl-C is noticed during the minutes that this takes."""
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(builder.build_serialized_network, network, config)
        try:
            return future.result()
        except KeyboardInterrupt:
            progress.cancelled = True
            raise
        finally:
            progress.close()


def _logger(trt: Any, complaints: list[str]) -> Any:
    """A logger that keeps the errors and drops the rest."""

    def log(self: Any, severity: Any, message: str) -> None:
        if severity <= trt.ILogger.Severity.ERROR:
            complaints.append(message)

    # The base class is only known now.
    return type("Logger", (trt.ILogger,), {"log": log})()


def _monitor(trt: Any, progress: Progress) -> Any:
    """TensorRT's view of a `Progress`."""
    methods = {
        "phase_start": lambda self, phase, parent, steps: progress.start(phase, steps),
        "step_complete": lambda self, phase, step: progress.step(phase, step),
        "phase_finish": lambda self, phase: progress.finish(phase),
    }
    return type("Monitor", (trt.IProgressMonitor,), methods)()


def _parsed(error: Any) -> str:
    return f"{error.node_operator()} {error.node_name()}: {error.desc()}"


def _listed(complaints: Sequence[str]) -> str:
    """All of them in one line, each once."""
    lines = (" ".join(complaint.split()) for complaint in complaints)
    return "; ".join(dict.fromkeys(lines)) or "it does not say why"
