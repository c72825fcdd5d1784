"""`python -m export`: voices, configs, and the proof that they match."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from export import profiles_page, untrained_command, verify_report
from export import repository as repositories
from export.bundle import Bundle, Choice
from export.change import changing
from export.engines.command import engines
from export.errors import ExportError
from export.families import fastspeech2, sambert, sculptor
from export.families.fastspeech2 import demo
from export.shared_command import shared
from export.specs import Precision
from export.terminal import PrecisionOption, one_line_errors, report
from export.verifications import VERIFICATIONS, Verifiable
from export.verify import TOLERANCES, export_chain
from export.vocoder_command import vocoder

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None, help=__doc__
)

REPOSITORY = Path("model_repository")


class Family(str, Enum):
    """Architectures that can be exported."""

    fastspeech2 = "fastspeech2"
    sambert = "sambert"
    sculptor = "sculptor"


# What loads a checkpoint of each family.
BUNDLES: dict[Family, Callable[[Path, str, Choice], Bundle]] = {
    Family.fastspeech2: fastspeech2.bundle,
    Family.sambert: sambert.bundle,
    Family.sculptor: sculptor.bundle,
}


CheckpointOption = Annotated[Path, typer.Option("--checkpoint", help="Folder with the checkpoint's files.")]


@app.command()
def voice(
    family: Annotated[Family, typer.Argument(help="Architecture of the checkpoint.")],
    name: Annotated[str, typer.Option("--name", help="Name of the voice.")],
    checkpoint: CheckpointOption = demo.DIRECTORY,
    repository: Annotated[Path, typer.Option("--repository", help="Triton model repository.")] = REPOSITORY,
    precision: PrecisionOption = None,
    from_voice: Annotated[
        str | None, typer.Option("--from-voice", help="Which voice of a folder that has several; the first by default.")
    ] = None,
    emotions: Annotated[
        str | None, typer.Option("--emotions", help="Emotions that the voice was trained on, with commas between.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a voice of this name from elsewhere.")] = False,
) -> None:
    """Export a checkpoint into the model repository as a voice."""
    named = None if emotions is None else tuple(part.strip() for part in emotions.split(",") if part.strip())
    with one_line_errors():
        repositories.check_name(name)
        report(f"reading {checkpoint}")
        bundle = BUNDLES[family](checkpoint, name, Choice(from_voice, named))
        if precision:
            bundle = bundle.only(precision)
        repositories.write_voice(bundle, repository, report, replace=replace)
    forms = ", ".join(form.value for form in Precision if any(form in stage.spec.precisions for stage in bundle.stages))
    typer.echo(f"voice {name} ({family.value}, {forms}, {bundle.voice.sample_rate} Hz) is in {repository}")


@app.command()
def configs(
    repository: Annotated[Path, typer.Option("--repository")] = REPOSITORY,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a file is out of step.")] = False,
) -> None:
    """Write every checked-in config from the specifications, for every hardware profile."""
    with one_line_errors():
        files = repositories.checked_in_configs()
        stale = [
            path
            for path, text in files.items()
            if not (repository / path).is_file() or (repository / path).read_text(encoding="utf-8") != text
        ]
        stale += repositories.superfluous(repository, files)
        if check and stale:
            names = ", ".join(str(path) for path in stale)
            raise ExportError(f"out of step with the specifications: {names}; run: python -m export configs")
        if not check:
            with changing(repository) as change:
                repositories.put_configs(change, files)
    typer.echo(f"{len(files)} configs, {len(stale)} changed")


@app.command()
def profiles() -> None:
    """Print docs/profiles.md: the hardware profiles and the reason for every value."""
    typer.echo(profiles_page.page(), nl=False)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="The only checkpoint that can be fetched is `demo`.")] = "demo",
    checkpoint: CheckpointOption = demo.DIRECTORY,
) -> None:
    """Download the demo voice's checkpoint and check its hash."""
    with one_line_errors():
        if name != repositories.DEFAULT_VOICE:
            raise ExportError(f"'{name}' cannot be fetched, only {repositories.DEFAULT_VOICE}")
        demo.fetch(checkpoint)


@app.command()
def verify(
    what: Annotated[Verifiable, typer.Argument(metavar="FAMILY", help="Family, or layout of a vocoder.")],
    reference: Annotated[Path, typer.Option("--reference", help="Reference arrays, .npz.")],
    checkpoint: CheckpointOption = demo.DIRECTORY,
    precision: Annotated[
        Precision, typer.Option("--precision", help="Which graphs; a stage without it has its float32 graph.")
    ] = Precision.FP32,
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", help="Largest absolute error of a stage; the precision's by default.")
    ] = None,
    end_to_end: Annotated[float | None, typer.Option(help="The same for the whole chain.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Compare the modules and the exported graphs with reference arrays; exit 1 past the tolerance."""
    allowed = TOLERANCES[precision]
    with one_line_errors(), tempfile.TemporaryDirectory(prefix="verify-") as folder:
        stages, compare = VERIFICATIONS[what]
        exported = export_chain(stages(checkpoint), Path(folder), precision)
        stage = allowed.stage if tolerance is None else tolerance
        rows = compare(exported.chain, reference, stage, allowed.end_to_end if end_to_end is None else end_to_end)
    passed = all(row.passed for row in rows)
    if as_json:
        typer.echo(verify_report.as_json(what.value, precision, rows, exported.losses))
    else:
        typer.echo(verify_report.table(precision, rows, exported.losses))
    if not passed:
        raise typer.Exit(1)


app.command()(engines)
app.command()(shared)
app.command()(vocoder)
app.add_typer(untrained_command.app, name="untrained")
