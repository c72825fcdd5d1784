"""Reads HyperPyYAML, the format of CosyVoice's configs, without ever doing what it asks for.

The format's tags name Python classes to make and functions to call. Here a tag is text beside the node it stands on;
only references (`!ref <name>`, `!copy <name>`) are followed, with the four basic operations on numbers.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from export.checkpoint_files import read_text
from export.errors import CheckpointError

Number = int | float

_REFERENCE = re.compile(r"<([^<>]*)>")
# What a reference names: a top-level setting, and what of it, as in <model[layers][0]>.
_PATH = re.compile(r"(\w+)((?:\[\w+\])*)")
# Numbers that YAML 1.2 has and PyYAML takes for text.
_EXPONENT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
_OPERATIONS: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_MAX_EXPRESSION = 200
_MAX_NUMBER = 2.0**53
_PLAIN = "tag:yaml.org,2002:"
_PLAIN_TAGS = {f"{_PLAIN}{name}" for name in ("null", "bool", "int", "float", "str", "timestamp")}


@dataclass(frozen=True)
class Tagged:
    """A node with a tag such as `new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec`, which is kept as text.

    `content` is what stands under it: a dict, a list, a plain value, or None.
    """

    tag: str
    content: Any

    @property
    def name(self) -> str:
        """The last part of the name in the tag: `CausalMaskedDiffWithXvec`."""
        return self.tag.rpartition(":")[2].rpartition(".")[2]


def read(path: Path) -> dict[str, Any]:
    """A HyperPyYAML file as plain values, lists, dicts and `Tagged` nodes, with its references resolved.

    Raises `CheckpointError` for what is no such file: names given twice, references to nothing or to themselves,
    arithmetic on anything but numbers, tags of Python objects.
    """
    text = read_text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode):
            raise CheckpointError(f"{path} has no named settings; fetch it again")
        return _Reader(path, root).settings()
    except RecursionError as error:
        raise CheckpointError(f"{path} is nested too deeply for a config; fetch it again") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{path} is not valid YAML; fetch it again") from error


class _Reader:
    """One file; each node becomes one value, however many references there are to it."""

    def __init__(self, path: Path, root: yaml.MappingNode) -> None:
        self.path = path
        self.root = root
        self.done: dict[int, Any] = {}
        self.open: set[int] = set()
        self.scalars = yaml.constructor.SafeConstructor()

    def settings(self) -> dict[str, Any]:
        content = self._value(self.root)
        if not isinstance(content, dict):
            raise CheckpointError(f"{self.path} has no named settings; fetch it again")
        return content

    @cached_property
    def top(self) -> dict[str, yaml.Node]:
        """The nodes that references can name."""
        return {str(key.value): value for key, value in self.root.value}

    def _value(self, node: yaml.Node) -> Any:
        known = id(node)
        if known not in self.done:
            if known in self.open:
                raise self._wrong(node, "refers to itself")
            self.open.add(known)
            self.done[known] = self._made(node)
            self.open.discard(known)
        return self.done[known]

    def _made(self, node: yaml.Node) -> Any:
        tag = str(node.tag)
        if tag in ("!ref", "!copy"):
            return self._referred(node)
        if tag.startswith("!"):
            return Tagged(tag[1:], self._content(node))
        if tag.startswith(f"{_PLAIN}python/"):
            raise CheckpointError(
                f"{self.path} asks for the Python object {tag.rpartition(':')[2][:60]}, which could run code: "
                "replace it by a plain value"
            )
        return self._content(node)

    def _content(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if node.tag not in _PLAIN_TAGS:
            # Under a tag of its own, a plain scalar is text; nothing at all is None.
            return node.value or None
        if node.tag == f"{_PLAIN}str":
            number = getattr(node, "style", None) is None and _EXPONENT.fullmatch(node.value)
            return float(node.value) if number else node.value
        return self.scalars.construct_object(node)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(key, "is no name")
            if key.value in content:
                raise self._wrong(key, f"gives {key.value[:60]} a second time")
            content[key.value] = self._value(value)
        return content

    def _referred(self, node: yaml.Node) -> Any:
        text = str(node.value).strip()
        if not isinstance(node, yaml.ScalarNode) or len(text) > _MAX_EXPRESSION or not _REFERENCE.search(text):
            raise self._wrong(node, "is no reference")
        if whole := _REFERENCE.fullmatch(text):
            return self._named(whole[1], node)
        found = [self._named(name, node) for name in _REFERENCE.findall(text)]
        if any(isinstance(value, str) for value in found):
            parts = iter(found)
            return _REFERENCE.sub(lambda _: str(next(parts)), text)
        if not all(_is_number(value) for value in found):
            raise self._wrong(node, f"computes with what is no number: {text[:60]}")
        values = dict(zip((f"_{position}" for position in range(len(found))), found, strict=True))
        names = iter(values)
        try:
            expression = ast.parse(_REFERENCE.sub(lambda _: next(names), text), mode="eval")
            result = _computed(expression.body, values)
        except (SyntaxError, ArithmeticError, LookupError, TypeError, MemoryError) as error:
            raise self._wrong(node, f"cannot be computed: {text[:60]}") from error
        return result

    def _named(self, name: str, node: yaml.Node) -> Any:
        found = _PATH.fullmatch(name.strip())
        if found is None or found[1] not in self.top:
            raise self._wrong(node, f"refers to {name[:60]}, which is not there")
        value = self._value(self.top[found[1]])
        for key in re.findall(r"\w+", found[2]):
            inside = value.content if isinstance(value, Tagged) else value
            try:
                value = inside[int(key)] if isinstance(inside, list) else inside[key]
            except (LookupError, TypeError, ValueError) as error:
                raise self._wrong(node, f"refers to {name[:60]}, which is not there") from error
        return value

    def _wrong(self, node: yaml.Node, what: str) -> CheckpointError:
        return CheckpointError(f"{self.path}, line {node.start_mark.line + 1}, {what}: use the checkpoint's own config")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _computed(node: ast.expr, values: Mapping[str, Number]) -> Number:
    """The four operations on numbers; LookupError and TypeError for anything else, OverflowError for absurd results."""
    if isinstance(node, ast.BinOp):
        result = _OPERATIONS[type(node.op)](_computed(node.left, values), _computed(node.right, values))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        result = -_computed(node.operand, values)
    elif isinstance(node, ast.Name):
        result = values[node.id]
    elif isinstance(node, ast.Constant) and _is_number(node.value):
        result = node.value  # type: ignore[assignment]
    else:
        raise TypeError("neither a number nor an operation")
    if not -_MAX_NUMBER <= result <= _MAX_NUMBER:
        raise OverflowError("too large")
    return result
