"""Loads layers under the names that a checkpoint has for them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from export.checkpoint_files import load_strict


def load_named(layers: Mapping[str, nn.Module], state: Mapping[str, Tensor], what: str) -> None:
    """Copy a state dict into `layers`, whose keys are their dotted names in it.

    `what` names the checkpoint in messages. Raises `CheckpointError` that lists, by the file's names, what is missing,
    left over or of another shape.
    """
    root = nn.Module()
    for name, layer in layers.items():
        *outer, last = name.split(".")
        parent = root
        for part in outer:
            if not hasattr(parent, part):
                parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        parent.add_module(last, layer)
    load_strict(root, state, what)
