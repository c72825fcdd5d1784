"""The command line of `scripts/perf`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import grpc
import tritonclient.grpc as grpcclient
import typer
from tritonclient.utils import InferenceServerException

from perf import table, tool
from perf.load import Files, Load, command, write
from perf.recipes import RECIPES, Recipe
from perf.results import Result, result

ROOT = Path(__file__).resolve().parents[2]
SERVER = "127.0.0.1:8001"
REQUESTS = 40
PATIENCE = 5.0

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


def check(server: str, models: Iterable[str]) -> None:
    """Raises `tool.PerfError` unless a server listens there that has these models ready."""
    with grpcclient.InferenceServerClient(server) as triton:
        try:
            missing = [name for name in models if not triton.is_model_ready(name, client_timeout=PATIENCE)]
        except (InferenceServerException, grpc.RpcError) as error:
            raise tool.PerfError(
                f"no server answers at {server}: start one with scripts/serve, or name one with --server"
            ) from error
    if missing:
        raise tool.PerfError(f"the server at {server} has no model {missing[0]} ready: load the voice demo")


def measure(load: Load, recipe: Recipe, server: str, folder: Path, program: tool.Tool) -> Result:
    """Make one load and read what came of it. Raises `tool.PerfError`."""
    files = Files(folder, load.name)
    write(load, files, recipe.data())
    program.run(command(load, server, files))
    found = result(files.table, files.export)
    # All samples of all answers as text: some ten megabytes a load.
    files.export.unlink()
    return found


def run(recipes: Iterable[Recipe], server: str, folder: Path, requests: int) -> None:
    """Make the loads of recipes, print their tables, and write the summary and the picture."""
    from perf.plot import plot  # which takes a second, and needs the extra `bench`

    chosen = [(recipe, recipe.loads(requests, recipe.levels)) for recipe in recipes]
    check(server, sorted({load.model for _, loads in chosen for load in loads}))
    program = tool.find(ROOT / ".cache")
    rows: list[tuple[Load, Result]] = []
    for recipe, loads in chosen:
        made = []
        for load in loads:
            print(f"  {load.name} …", file=sys.stderr, flush=True)
            made.append((load, measure(load, recipe, server, folder, program)))
        rows += made
        typer.echo(f"## {recipe.title}\n\n{table.show(made)}\n")
    table.write(rows, folder / "summary.csv")
    plot(rows, folder / "summary.png")
    typer.echo(f"written: {folder}/summary.csv, {folder}/summary.png, and perf_analyzer's CSV of each load")


Server = Annotated[str, typer.Option(help="The server's gRPC address.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Requests = Annotated[int, typer.Option(min=1, help="Requests of each load.")]
FOLDER = Path("build/perf")


def _run(recipes: Iterable[Recipe], server: str, folder: Path, requests: int) -> None:
    try:
        run(recipes, server, folder, requests)
    except tool.PerfError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


def _plain(recipes: tuple[Recipe, ...]) -> Callable[[str, Path, int], None]:
    def command(server: Server = SERVER, out: Out = FOLDER, requests: Requests = REQUESTS) -> None:
        _run(recipes, server, out, requests)

    return command


def _sweep(recipe: Recipe) -> Callable[[str, str, Path, int], None]:
    usual = ",".join(f"{level:g}" for level in recipe.levels)

    def command(
        levels: Annotated[str, typer.Option(help="Clients, or requests per second, with commas between.")] = usual,
        server: Server = SERVER,
        out: Out = FOLDER,
        requests: Requests = REQUESTS,
    ) -> None:
        _run([replace(recipe, levels=_levels(levels))], server, out, requests)

    return command


def _levels(text: str) -> list[float]:
    try:
        levels = [float(word) for word in text.split(",")]
    except ValueError:
        levels = []
    if not levels or min(levels) <= 0:
        raise typer.BadParameter(f"{text!r} is not a list of numbers above 0 with commas between, as in 1,2,4")
    return levels


for _recipe in RECIPES.values():
    app.command(_recipe.name, help=f"{_recipe.title}.")(_sweep(_recipe) if _recipe.levels else _plain((_recipe,)))
app.command("all", help="Everything: less than five minutes on two cores.")(_plain(tuple(RECIPES.values())))


if __name__ == "__main__":
    app()
