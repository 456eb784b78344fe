"""TODO: what this package is for, what comes in, what goes out."""

from onnxfi.engine.study._batches import default_batch_size, singles, windows
from onnxfi.engine.study._layouts import Change, by_growth, by_replacement, proven
from onnxfi.engine.study._profile import Profile, profile
from onnxfi.engine.study._samples import open_workload

__all__ = [
    "Change",
    "Profile",
    "by_growth",
    "by_replacement",
    "default_batch_size",
    "open_workload",
    "profile",
    "proven",
    "singles",
    "windows",
]
