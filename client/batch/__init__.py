"""Many texts from one file, spoken with bounded concurrency into one folder; what was done is not done again."""

from ._journal import FAILURES, JOURNAL, Journal
from ._lines import BadLine, Line, Reader
from ._run import Batch, Tally

__all__ = ["FAILURES", "JOURNAL", "BadLine", "Batch", "Journal", "Line", "Reader", "Tally"]
