"""The packages that an image installs: those that its extras ask for, and those that these ask for.

`python tests/docker/image_packages.py > docker/constraints.txt` writes the versions of this environment, in which the
tests ran, for the images.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRAS = ("export", "gateway", "gpu", "models")
# The image's own where there is Triton.
NOT_PINNED = {"numpy"}
# Where there is no GPU, the same ONNX Runtime is here by another name.
ELSEWHERE = {"onnxruntime-gpu": "onnxruntime"}
PYTHON = {"python_version": "3.12", "python_full_version": "3.12.3"}

_HEADER = """\
# The versions of all packages in the images, as the tests had them; numpy is not among them: docker/Dockerfile keeps
# the one that its Triton came with. Made by: python tests/docker/image_packages.py > docker/constraints.txt
"""


def requirements(*extras: str) -> Iterator[Requirement]:
    """What the project itself asks for with these extras."""
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines = [line for extra in extras for line in project["optional-dependencies"][extra]]
    for requirement in map(Requirement, (*project["dependencies"], *lines)):
        if requirement.marker is None or requirement.marker.evaluate(PYTHON):
            yield requirement


def closure(*extras: str) -> dict[str, str]:
    """The versions of all packages that the project needs with these extras, by name."""
    found: dict[str, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    left = list(requirements(*extras))
    while left:
        requirement = left.pop()
        name, wanted = canonicalize_name(requirement.name), tuple(sorted(requirement.extras))
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        distribution = metadata.distribution(ELSEWHERE.get(name, name))
        found[name] = distribution.version.split("+")[0]
        for further in map(Requirement, distribution.requires or ()):
            marker = further.marker
            if marker is None or any(marker.evaluate({"extra": extra, **PYTHON}) for extra in ("", *wanted)):
                left.append(further)
    return found


def constraints() -> str:
    """The text of docker/constraints.txt for this environment."""
    pinned = {name: version for name, version in closure(*EXTRAS).items() if name not in NOT_PINNED}
    return _HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(pinned.items()))


if __name__ == "__main__":
    print(constraints(), end="")
