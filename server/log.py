"""Reads a tritonserver's log: what failed, in one line, and what is worth showing."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

FINISHED = "Found 0 live models and 0 in-flight"  # the last line before a server closes its connections
METRICS_STARTED = "Started Metrics Service"  # the last of the three services

# E1121 21:38:02.696458 8360 server.cc:241] "message", with quotes and line ends escaped
_LINE = re.compile(r'^([IWEF])\d{4} [\d:.]+\s+\d+ [\w./-]+:\d+\]\s*"?(.*?)"?$')
# What every machine without a GPU or without its tools says, and what Triton 2.51 says of every stream that ended with
# an error.
_NOISE = re.compile(
    r"CudaDriverHelper|CUDA driver version is insufficient|no CUDA-capable device|pinned|NVML|DCGM|"
    r"unable to create stream for|Address already in use \{|CUDA memory pool|"
    r"HandleCancellation called even when the context was not cancelled"
)
_RELOADING = "contains models that are not available or ambiguous"  # an ensemble, while one of its models is away
_LIBRARY = re.compile(r"error while loading shared libraries: (\S+?):|version `(GLIBC\w*_[\d.]+)' not found")
_MODEL = re.compile(r"^failed to load (?:'(.+?)' version \d+|model '(.+?)'): (.*)$", re.DOTALL)
# After this, the server of 24.10 waits for ever for the model.
_STUCK = re.compile(r"Failed to preinitialize Python stub: (.*?(?:/([^/']+)/\d+/[^/']+\.py')?)\s*$", re.MULTILINE)
_CONFIG = re.compile(r"^Poll failed for model directory '(.+?)': (.*)$", re.DOTALL)
_SYNTAX = re.compile(r"^\[libprotobuf ERROR .*?\] Error parsing text-format \S+: (.*)$", re.MULTILINE)
_PORT = re.compile(r"failed to start (\w+) service: .*?Socket '.*?:(\d+)' already in use", re.IGNORECASE)
_OPTION = re.compile(r"(unrecognized option|option requires an argument)[^\n]*|^error: [^\n]*", re.MULTILINE)
_WRAPPING = re.compile(r"^(?:Internal|Invalid argument|TritonModelException|Unavailable|Unknown)(?:: | - )")


def size(path: Path | None) -> int:
    """How many bytes of log there are."""
    try:
        return path.stat().st_size if path else 0
    except OSError:
        return 0


def read(path: Path | None, start: int = 0) -> str:
    """The log from byte ``start`` on; empty when there is none."""
    if path is None:
        return ""
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


class Follower:
    """Gives what is added to a log, in whole lines."""

    def __init__(self, path: Path, start: int) -> None:
        self.path = path
        self.position = start

    def news(self) -> str:
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.position)
                added = stream.read()
        except OSError:
            return ""
        added = added[: added.rfind(b"\n") + 1]
        self.position += len(added)
        return added.decode(errors="replace")


def cause(text: str) -> str:
    """One line that says why the server ended or did not start; empty when the log does not tell."""
    if match := _LIBRARY.search(text):
        missing = match.group(1) or match.group(2)
        return f"a shared library is missing on this machine: {missing}"
    errors = [message for _, message in _messages(text, "EF")]
    if match := next(filter(None, map(_PORT.search, errors)), None):
        return f"port {match.group(2)} for {match.group(1)} is already in use"
    if failed := _unloadable(text):
        name, reason = next(iter(failed.items()))
        others = f" (and {len(failed) - 1} more: {', '.join(list(failed)[1:])})" if len(failed) > 1 else ""
        return f"model {name} failed to load: {reason}{others}"
    if misconfigured := _misconfigured(text):
        name, reason = next(iter(misconfigured.items()))
        return f"the config of model {name} is wrong: {reason}"
    if errors:
        return plain(errors[-1])
    return plain(match.group()) if (match := _OPTION.search(text)) else ""


def failures(text: str) -> dict[str, str]:
    """Why each model that failed did so: its load, or the reading of its config."""
    wrong = {name: f"its config is wrong: {reason}" for name, reason in _misconfigured(text).items()}
    return wrong | _unloadable(text)


def is_port_conflict(text: str) -> bool:
    """Whether a service did not start because its port was taken."""
    return any(_PORT.search(message) for _, message in _messages(text, "EF"))


def is_stuck(text: str) -> bool:
    """Whether a model failed in a way after which the server waits for ever."""
    return _STUCK.search(text) is not None


def notable(text: str) -> list[str]:
    """The warnings and errors among the lines of ``text``, without what only says that there is no GPU."""
    words = {"W": "warning", "E": "error", "F": "error"}
    news = [(words[level], message) for level, message in _messages(text, "WEF") if _RELOADING not in message]
    return [f"{word}: {plain(message)}" for word, message in news]


def plain(message: str) -> str:
    """A message in one line, without Triton's wrapping and without the Python traceback."""
    message = message.replace('\\"', '"').replace("\\n", "\n").split("\n\nAt:")[0]
    message = " ".join(message.split())
    while match := _WRAPPING.match(message):
        message = message[match.end() :]
    return message


def describe_exit(code: int) -> str:
    """What an exit code, as subprocess gives it, tells."""
    if code >= 0:
        return f"it exited with code {code} and logged no error"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"


def _unloadable(text: str) -> dict[str, str]:
    matches = [match for _, message in _messages(text, "EF") if (match := _MODEL.match(message))]
    found = {match.group(1) or match.group(2): plain(match.group(3)) for match in matches}
    return found | {match.group(2) or "(unknown)": plain(match.group(1)) for match in _STUCK.finditer(text)}


def _misconfigured(text: str) -> dict[str, str]:
    """The models whose config cannot be used. The parser's complaint stands in the line before Triton's."""
    found = {}
    syntax = ""
    for line in text.splitlines():
        if match := _SYNTAX.match(line):
            syntax = match.group(1)
        for _, message in _messages(line, "EF"):
            if match := _CONFIG.match(message):
                found[match.group(1)] = plain(syntax or match.group(2))
            syntax = ""
    return found


def _messages(text: str, levels: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and match.group(1) in levels and not _NOISE.search(line):
            yield match.group(1), match.group(2).replace('\\"', '"').replace("\\n", "\n")
