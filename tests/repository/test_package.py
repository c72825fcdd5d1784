"""The wheel has every file that its packages read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
DATA = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]


@pytest.mark.parametrize("package", ["client", "export", "server"])
def test_every_file_of_a_package_is_packed(package):
    folder = ROOT / package
    packed = {file for pattern in DATA.get(package, ()) for file in folder.glob(pattern)}
    files = {file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    assert sorted(file for file in files - packed if file.suffix != ".py") == []
