import sys

from export.terminal import run

if sys.argv[1:2] == ["engines"]:
    # Plans are built where they are served, and there is no PyTorch there, which the other commands need.
    from export.engines.command import app
else:
    from export.cli import app

run(app)
