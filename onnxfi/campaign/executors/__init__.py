"""Executors: where the work units of a campaign run.

An executor plug-in is a class with a name, a help text and options, whose instances take a number
of workers and return a :class:`concurrent.futures.Executor`; see :mod:`onnxfi.plugins`. Any other
function that does so will do, too. What comes in are calls that can be pickled, what goes out are
futures of their records. No executor changes a row.
"""

from onnxfi.campaign.executors._inline import InlineExecutor
from onnxfi.campaign.executors._processes import ProcessesExecutor
from onnxfi.campaign.executors._registry import EXECUTORS, parse_executor, usual_executor

__all__ = [
    "EXECUTORS",
    "InlineExecutor",
    "ProcessesExecutor",
    "parse_executor",
    "usual_executor",
]
