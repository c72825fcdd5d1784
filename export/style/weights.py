"""The trained weights, checked in as `weights.npz` with a note on where they come from, `weights.json`."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import torch

from export.errors import CheckpointError
from export.graph_files import write_atomically
from export.style.lexicon import FOLDER
from export.style.network import CODE_POINTS, UNKNOWN, StyleConfig, StyleNetwork

FILE = Path(__file__).with_name("weights.npz")
NOTE = FILE.with_suffix(".json")
# What the weights depend on besides the lexicon.
_SOURCES = ("attributes.py", "encoding.py", "grammar.py", "lexicon.py", "network.py", "pieces.py", "train.py")


def sources_digest() -> str:
    """Hex digest of everything the weights are made from."""
    digest = hashlib.sha256()
    for path in (*sorted(FOLDER.glob("*.tsv")), *(FILE.with_name(name) for name in _SOURCES)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def save(network: StyleNetwork, *, seed: int, instructions: int, epochs: int) -> None:
    """Write weights (half precision) and note. The table is kept as its known code points only."""
    arrays = {name: value.numpy() for name, value in network.state_dict().items() if name != "table"}
    codes = torch.nonzero(network.table != UNKNOWN).squeeze(1)
    arrays = {name: value.astype(np.float16) for name, value in arrays.items()}
    arrays["codes"] = codes.numpy().astype(np.uint16)
    arrays["rows"] = network.table[codes].numpy().astype(np.uint16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(FILE, buffer.getvalue())
    note = {
        "made_by": "python -m export.style.train",
        "from": "export/style/lexicon (written for this project); neutral words from jieba 0.42.1 (MIT)",
        "seed": seed,
        "instructions": instructions,
        "epochs": epochs,
        "torch": torch.__version__,
        "sources_sha256": sources_digest(),
        "weights_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
    }
    write_atomically(NOTE, (json.dumps(note, ensure_ascii=False, indent=1) + "\n").encode())


def load(path: Path = FILE) -> StyleNetwork:
    """The trained network in evaluation mode. Raises `CheckpointError` when the file is missing or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
        codes, rows = arrays.pop("codes").long(), arrays.pop("rows").to(torch.int32)
        network = StyleNetwork(StyleConfig(vocabulary=arrays["embedding.weight"].shape[0]))
        arrays["table"] = torch.full((CODE_POINTS,), UNKNOWN, dtype=torch.int32).index_copy(0, codes, rows)
        network.load_state_dict(arrays)
    except (OSError, ValueError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"cannot read the style weights {path}: {error}; python -m export.style.train") from error
    return network.eval()
