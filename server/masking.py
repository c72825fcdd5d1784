"""Takes a secret out of a process's command line, which every user of a machine may read."""

from __future__ import annotations

from pathlib import Path

_START, _END = 45, 46  # of the arguments in the process's memory, among the fields after its name


def mask(pid: int, secret: str) -> bool:
    """Overwrites a secret among the arguments of a process of ours, which must have read them.

    Gives False where the system does not let one process write into another's memory.
    """
    hidden = secret.encode()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[_START]), int(fields[_END])
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            words = memory.read(end - start)
            place = words.find(hidden)
            while place >= 0:
                memory.seek(start + place)
                memory.write(b"*" * len(hidden))
                place = words.find(hidden, place + len(hidden))
        return hidden not in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False
