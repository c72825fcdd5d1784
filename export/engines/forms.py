"""The configs by which a repository is served from its plans: complete, and none for a plan that no longer fits.

Triton takes a model's plain config where the one that it was asked for is missing. So every model of a repository with
plans has a config of that name; where there is no plan, it is a copy of the profile's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from export.change import Change
from server.plans import FILE_NAME, PLAN_NAME, SUFFIX, Plan, PlanError

# Beside the ONNX files of a stage: what they were made of, their hashes, and the specification.
MANIFEST = "manifest.json"


def names(repository: Path) -> set[str]:
    """The names of the configs that the repository has for plans, `h100_tensorrt` for example."""
    return {path.stem for path in repository.glob(f"*/configs/*{SUFFIX}.pbtxt")}


def complete(change: Change, models: Iterable[str], name: str) -> None:
    """Give each model without a fitting plan the config `name` without one, and take plans away that do not fit."""
    for model in models:
        config = Path(model, "configs", f"{name}.pbtxt")
        if (change.folder / config).is_file() or _fits(change, model, config):
            continue
        change.write_text(config, _without_plan(change, model, name.removesuffix(SUFFIX)))
        drop_plan(change, model)


def drop_plan(change: Change, model: str) -> None:
    """Take a model's plan away."""
    for name in (PLAN_NAME, FILE_NAME):
        if (change.repository / model / "1" / name).exists():
            change.remove(Path(model, "1", name))


def _fits(change: Change, model: str, config: Path) -> bool:
    """Whether the model has a config for a plan, whose ONNX file remains what it is."""
    if not (change.repository / config).is_file():
        return False
    try:
        plan = Plan.read(change.repository / model / "1" / FILE_NAME)
    except PlanError:
        return False
    manifest = change.folder / model / "1" / MANIFEST
    if not manifest.is_file():
        return True
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    return plan.onnx.name in files and files[plan.onnx.name]["sha256"] == plan.onnx.sha256


def _without_plan(change: Change, model: str, profile: str) -> str:
    """The text of the model's config for a profile, as it is after the change."""
    candidates = [
        folder / path
        for path in (Path(model, "configs", f"{profile}.pbtxt"), Path(model, "config.pbtxt"))
        for folder in (change.folder, change.repository)
        if folder == change.folder or path not in change.removed
    ]
    return next(path for path in candidates if path.is_file()).read_text(encoding="utf-8")
