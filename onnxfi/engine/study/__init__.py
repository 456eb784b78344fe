"""What is learned of a model before any fault: what a sample is, and what values look like in runs.

In: a model, a workload, settings. Out: the workload with its reading of the samples
(:func:`open_workload`), and the profile: run-time shapes, on which axis the samples of each value
lie, how many samples share a run and whether they may (:func:`profile`). All of it is seen from
small runs, on 2 and on 3 samples and with one sample replaced, never taken from a name.
"""

from onnxfi.engine.study._batches import default_batch_size, singles, windows
from onnxfi.engine.study._freed import freed_differs
from onnxfi.engine.study._layouts import Replacement, by_growth, by_replacement, proven
from onnxfi.engine.study._profile import Profile, profile
from onnxfi.engine.study._samples import open_workload

__all__ = [
    "Profile",
    "Replacement",
    "by_growth",
    "by_replacement",
    "default_batch_size",
    "freed_differs",
    "open_workload",
    "profile",
    "proven",
    "singles",
    "windows",
]
