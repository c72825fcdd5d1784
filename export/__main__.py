import sys

from export.terminal import run

if sys.argv[1:2] == ["engines"]:
    # Plans are built where they are served, and there is no PyTorch there, which the other commands need.
    from export.engines.command import app
else:
    try:
        from export.cli import app
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is missing, without which there is only `engines`: pip install '.[export]'")

run(app)
