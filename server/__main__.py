"""The command ``python -m server``."""

import sys

from server.cli import run

if __name__ == "__main__":
    sys.exit(run())
