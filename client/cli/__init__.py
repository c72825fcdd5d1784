"""The command line.

Exit codes: 0 done, 1 the service failed (or the disk is full, or the player failed), 2 the request was wrong
(arguments, text, voice, or where the output should go), 130 interrupted. An error is one line on stderr.
"""

from ._main import main

__all__ = ["main"]
