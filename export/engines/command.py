"""`python -m export engines`: TensorRT plans, built where they are served."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from export.engines import library
from export.engines.builder import BuildOptions
from export.engines.write import TIMING_CACHE, Workshop, write_engines
from export.errors import EngineError, ExportError
from export.profile_values import PROFILES
from export.profiles import Profile
from export.terminal import one_line_errors, report
from server import hardware
from server.hardware import Gpu

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback()
def _command() -> None:
    """Build TensorRT plans."""


@app.command()
def engines(
    voices: Annotated[list[str], typer.Argument(metavar="VOICE...", help="Names of voices in the repository.")],
    repository: Annotated[Path, typer.Option("--repository", help="Triton model repository.")] = Path(
        "model_repository"
    ),
    profile: Annotated[str, typer.Option("--profile", help="The hardware's; auto finds it.")] = "auto",
    timing_cache: Annotated[
        Path | None, typer.Option("--timing-cache", help="What was measured before; in the repository by default.")
    ] = None,
    level: Annotated[
        int, typer.Option("--level", min=0, max=5, help="How hard to try: 5 takes longest and may be fastest.")
    ] = BuildOptions.level,
    workspace: Annotated[
        int | None, typer.Option("--workspace", min=1, help="MiB of scratch memory that kernels may take.")
    ] = None,
) -> None:
    """Build TensorRT plans of voices for this machine's GPU, and the configs that serve by them."""
    with one_line_errors():
        if not repository.is_dir():
            raise ExportError(f"{repository} does not exist")
        trt = library.load()
        gpu = _card()
        chosen = _profile(profile, gpu)
        options = BuildOptions(level, None if workspace is None else workspace << 20)
        report(f"TensorRT {trt.__version__}, {gpu.name}, profile {chosen.name}")
        workshop = Workshop(trt, gpu, options, timing_cache or repository / TIMING_CACHE)
        write_engines(repository, voices, chosen, workshop, report)
    typer.echo(f"plans of {', '.join(voices)} are in {repository}: serve with --profile {chosen.name}")


def _card() -> Gpu:
    """The card that plans are built for. Raises `EngineError` where there is none, or several kinds."""
    gpus = hardware.detect()
    if not gpus:
        raise EngineError("no NVIDIA GPU was found: plans are built on the machine that serves them")
    if len({(gpu.name, gpu.compute_capability) for gpu in gpus}) > 1:
        names = " and ".join(sorted({gpu.name for gpu in gpus}))
        raise EngineError(f"here are {names}, and a plan fits one kind of GPU: choose by CUDA_VISIBLE_DEVICES")
    return gpus[0]


def _profile(name: str, gpu: Gpu) -> Profile:
    chosen = hardware.choose([gpu], PROFILES).profile if name == "auto" else name
    if chosen not in PROFILES or not PROFILES[chosen].gpu:
        known = ", ".join(profile.name for profile in PROFILES.values() if profile.gpu)
        raise EngineError(f"the profile '{chosen}' is not a GPU's: choose one of {known} with --profile")
    return PROFILES[chosen]
