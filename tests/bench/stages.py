"""`scripts/bench stages`: the stages' graphs with ONNX Runtime alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from bench import stage_memory
from bench.machine import machine


def run(repository: Path, json_file: Path, runs: int, processes: int) -> None:
    """Measure, print the tables, and write the numbers."""
    # Not above: the processes whose memory is measured import this module, and need none of PyTorch.
    from bench import acoustic_graphs, vocoder_graphs

    acoustic = acoustic_graphs.measure(repository, runs)
    print(f"## Encoder and decoder\n\n{acoustic_graphs.show(acoustic)}\n", flush=True)
    speeds = vocoder_graphs.measure(repository, runs)
    print(f"## Vocoder graphs\n\n{vocoder_graphs.show(speeds)}\n", flush=True)
    memory = stage_memory.measure(repository, processes)
    print(f"## Memory after the largest request\n\n{stage_memory.show(memory)}")
    content = {
        "command": "scripts/bench stages",
        "machine": asdict(machine()),
        "acoustic": acoustic,
        "vocoders": speeds,
        "memory": memory,
    }
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
