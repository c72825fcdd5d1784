"""The command line of `scripts/bench`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench import capacity, front_door, gateway, sections, serving
from bench.setting import Setting

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"
# Relative, as scripts/bench goes to the checkout's root.
FRONT_DOOR = Path("docs/benchmarks/front_door.json")
GATEWAY = Path("docs/benchmarks/gateway.json")
PAGE = Path("docs/benchmarks/page.json")
STAGES = Path("docs/benchmarks/stages.json")
SAMBERT = Path("docs/benchmarks/sambert.json")
PEERS = Path("docs/benchmarks/peers.json")
PRECISION = Path("docs/benchmarks/precision.json")
SCULPTOR = Path("docs/benchmarks/sculptor.json")
TERMS = capacity.Terms()
app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the numbers.")] = None,
    runs: Annotated[int, typer.Option(help="Runs of each load, of which the median is told.")] = 3,
    requests: Annotated[int, typer.Option(help="Requests of each load.")] = 32,
    profile: Annotated[str | None, typer.Option(help="The hardware profile.")] = None,
) -> None:
    """Start, latency, throughput and memory of the service on this machine."""
    if context.invoked_subcommand is None:
        serving.run(Setting(REPOSITORY, profile), json_file, runs, requests)


@app.command("front-door")
def measure_front_door(
    json_file: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = FRONT_DOOR,
    quick: Annotated[
        bool, typer.Option("--quick", help="See whether everything works; the numbers mean little.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"A section, may be repeated: {sections.names(front_door.SECTIONS)}.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="The hardware profile.")] = None,
) -> None:
    """The front door: streaming, memory, styles, overload, the fast vocoder, voices on demand. Half an hour or less."""
    chosen = sections.chosen(front_door.SECTIONS, only or [])
    if not sections.run(front_door.COMMAND, chosen, Setting(REPOSITORY, profile, quick), json_file):
        raise typer.Exit(1)


@app.command("gateway")
def measure_gateway(
    json_file: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = GATEWAY,
    quick: Annotated[
        bool, typer.Option("--quick", help="See whether everything works; the numbers mean little.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"A section, may be repeated: {sections.names(gateway.SECTIONS)}.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="The hardware profile.")] = None,
) -> None:
    """The HTTP gateway beside gRPC, and its formats. Five minutes."""
    chosen = sections.chosen(gateway.SECTIONS, only or [])
    if not sections.run(gateway.COMMAND, chosen, Setting(REPOSITORY, profile, quick), json_file):
        raise typer.Exit(1)


@app.command("page")
def measure_page(
    json_file: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = PAGE,
    quick: Annotated[
        bool, typer.Option("--quick", help="See whether everything works; the numbers mean little.")
    ] = False,
    profile: Annotated[str | None, typer.Option(help="The hardware profile.")] = None,
) -> None:
    """The web page's first audio in Chromium, beside a gRPC client's. Three minutes."""
    from bench import page  # which needs a browser's driver

    if not sections.run(page.COMMAND, [page.SECTION], Setting(REPOSITORY, profile, quick), json_file):
        raise typer.Exit(1)


@app.command("stages")
def measure_stages(
    json_file: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = STAGES,
    runs: Annotated[int, typer.Option(help="Turns of each vocoder, of which the median is told.")] = 20,
    processes: Annotated[int, typer.Option(help="Processes of each memory option, of which the median is told.")] = 3,
) -> None:
    """The stages without a server: speed of the vocoder's graphs, and memory after the largest request."""
    from bench import stages  # which needs what exports voices, and nothing else here does

    stages.run(REPOSITORY, json_file, runs, processes)


@app.command("sambert")
def measure_sambert(
    json_file: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = SAMBERT,
    runs: Annotated[int, typer.Option(help="Turns of each stage, of which the median is told.")] = 5,
) -> None:
    """A Sambert voice of the real size without a server: export, speed and memory of its stages. Ten minutes."""
    from bench import sambert  # which needs what exports voices

    sambert.run(json_file, runs)


@app.command("sculptor")
def measure_sculptor(
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help=f"Where to write the numbers; a run that is not quick writes {SCULPTOR}."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="See whether everything works; the numbers mean little.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A section, may be repeated: stages, language-models, llasa, served.")
    ] = None,
    size: Annotated[list[str] | None, typer.Option(help="small or full, may be repeated; both by default.")] = None,
) -> None:
    """A designed voice of random weights: stages, language models and the real server. A quarter of an hour."""
    from bench.sculptor import run  # which needs what exports voices

    raise typer.Exit(run.command(REPOSITORY, json_file, size or [], only or [], quick=quick, kept=SCULPTOR))


@app.command("peers")
def measure_peers(
    json_file: Annotated[
        Path | None, typer.Option("--json", help=f"Where to write the numbers; a whole run writes {PEERS}.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="See whether everything works; the numbers mean little.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="A system by its name, may be repeated.")] = None,
    profile: Annotated[str, typer.Option(help="The service's hardware profile: cpu or amx.")] = "cpu",
) -> None:
    """The service beside other ways to serve the same voice, on processors. Twenty minutes; draws plots, too."""
    from bench.peers import run  # which needs packages that nothing else here does

    file = PEERS if profile == "cpu" else PEERS.with_stem(f"{PEERS.stem}_{profile}")
    run.run(Setting(REPOSITORY, profile, quick), only or [], json_file or (None if quick or only else file))


@app.command("gpu")
def measure_gpu(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Where to write the numbers: docs/benchmarks/gpu_<card>.json.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="See whether everything works; the numbers mean little.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A section, may be repeated: see docs/gpu-benchmark.md.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="The hardware profile; the card's own by default.")] = None,
    device: Annotated[str, typer.Option(help="cuda, or cpu to try the command itself.")] = "cuda",
) -> None:
    """Everything about a GPU: ceilings, stages, PyTorch beside them, the real server. Forty minutes or less."""
    from bench.gpu.command import measure  # which needs what exports voices

    raise typer.Exit(measure(REPOSITORY, json_file, only or [], profile, device, quick=quick))


@app.command("precision")
def measure_precision(
    json_file: Annotated[Path, typer.Option("--json", help="Where to write the numbers.")] = PRECISION,
) -> None:
    """Float32, float16 and int8 of every stage: size, memory and what is lost. Ten minutes."""
    from bench import precision  # which needs what exports voices

    precision.run(REPOSITORY.parent, json_file)


@app.command("capacity")
def count_capacity(
    share: Annotated[float, typer.Option(help="Of a server's throughput, what is planned with.")] = TERMS.share,
    peak: Annotated[float, typer.Option(help="The busiest hour's load, in means.")] = TERMS.peak,
    core_price: Annotated[float, typer.Option(help="Of a core with its memory, an hour.")] = TERMS.core_price,
    card_price: Annotated[float, typer.Option(help="Of a card, an hour.")] = TERMS.card_price,
    card_cores: Annotated[int, typer.Option(help="Cores beside a card.")] = TERMS.card_cores,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="A page to put the tables into.")] = None,
) -> None:
    """Servers and price of hours of audio, from what `peers` has measured. A moment: nothing is run."""
    terms = capacity.Terms(share, peak, core_price, card_price, card_cores)
    try:
        terms.check()
        made = capacity.tables(PEERS.parent, terms)
        if page is None:
            print(made)
        else:
            page.write_text(capacity.put(page.read_text("utf-8"), made), "utf-8")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    app()
