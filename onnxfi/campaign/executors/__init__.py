"""Where work units run: in this process, in spawned ones, or wherever the user's factory says.

An executor is a factory: it takes a number of workers and returns a
:class:`concurrent.futures.Executor`. What comes in are picklable calls, what goes out are futures
of their records. None of it changes a row.
"""

from onnxfi.campaign.executors._inline import inline
from onnxfi.campaign.executors._processes import processes
from onnxfi.campaign.executors._registry import ExecutorFactory, executor_factory

__all__ = ["ExecutorFactory", "executor_factory", "inline", "processes"]
