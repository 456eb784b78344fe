"""What of the CPU decides results: its instruction set, and what kernels do with 8-bit products.

onnxruntime chooses kernels and layouts by the vector instructions that it finds. They add in
different orders, and some of them saturate.
"""

from __future__ import annotations

import functools
import importlib
import platform

import numpy as np

from onnxfi.engine.runtime._session import Session
from onnxfi.engine.runtime._settings import EngineSettings
from onnxfi.graph import byte_products

# numpy's names of what chooses between onnxruntime's kernels, and those that people know.
_EXTENSIONS = {
    "AVX": "avx",
    "AVX2": "avx2",
    "FMA3": "fma",
    "AVX512F": "avx512f",
    "AVX512BW": "avx512bw",
    "AVX512VNNI": "avx512_vnni",
    "ASIMD": "asimd",
    "ASIMDHP": "asimdhp",
    "ASIMDDP": "asimddp",
    "SVE": "sve",
    "VSX": "vsx",
    "VSX4": "vsx4",
    "LSX": "lsx",
    "RVV": "rvv",
}
_DEEP = 32  # products in a sum: as many as the widest registers take at once


@functools.cache
def instruction_set() -> str:
    """The architecture and the vector extensions that choose onnxruntime's kernels.

    They are what the CPU itself reports to this process (CPUID on x86) and the system lets it use,
    as numpy finds it when it starts. ``/proc/cpuinfo`` may show another machine: the host of an
    emulator or of a container.
    """
    # The same as in numpy.show_runtime(), which only prints it.
    features = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    found = sorted(ours for theirs, ours in _EXTENSIONS.items() if features.get(theirs))
    return "+".join([platform.machine(), *found])


@functools.cache
def int8_arithmetic() -> str:
    """What this CPU's kernels make of sums of unsigned by signed 8-bit products.

    Returns:
        ``exact``, or ``saturating``: they add two products in 16 bits and cut off what does not
        fit, as on AVX2 and AVX-512 without VNNI.
    """
    session = Session(byte_products(), EngineSettings())
    largest = {
        "bytes": np.full((2, _DEEP), np.iinfo(np.uint8).max, np.uint8),
        "weights": np.full((_DEEP, _DEEP), np.iinfo(np.int8).max, np.int8),
    }
    exact = largest["bytes"].astype(np.int64) @ largest["weights"].astype(np.int64)
    return "exact" if np.array_equal(session.run(largest)["sums"], exact) else "saturating"
