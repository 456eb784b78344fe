"""What of the CPU decides results, from the CPU itself and from what kernels do."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from onnxfi.engine import instruction_set, int8_arithmetic

pytestmark = pytest.mark.cpu


@pytest.fixture
def features(monkeypatch):
    """What numpy has found out about the CPU, to be replaced."""
    from numpy._core import _multiarray_umath

    found = {}
    monkeypatch.setattr(_multiarray_umath, "__cpu_features__", found)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    instruction_set.cache_clear()
    yield found
    instruction_set.cache_clear()


def test_extensions_that_choose_kernels_are_named(features):
    assert instruction_set() == "x86_64"
    instruction_set.cache_clear()
    features.update({"AVX": True, "AVX2": True, "FMA3": True, "AVX512F": False, "POPCNT": True})
    assert instruction_set() == "x86_64+avx+avx2+fma"


def test_numpy_knows_them_all():
    """Else a part of the identity would silently be empty."""
    from numpy._core._multiarray_umath import __cpu_features__

    known = set(__cpu_features__)
    assert known >= {"AVX", "AVX2", "FMA3", "AVX512F", "AVX512BW", "AVX512VNNI"}
    assert known >= {"ASIMD", "ASIMDHP", "ASIMDDP", "SVE"}


@pytest.mark.parametrize(("most", "said"), [(2**31 - 1, "exact"), (2**15 - 1, "saturating")])
def test_kernels_are_asked_for_sums_that_do_not_fit_16_bits(monkeypatch, most, said):
    class Kernels:
        def __init__(self, *_arguments):
            pass

        def run(self, feeds):
            first, second = (feeds[name].astype(np.int64) for name in ("bytes", "weights"))
            pairs = [
                (first[:, k : k + 2] @ second[k : k + 2]).clip(-most - 1, most)
                for k in range(0, first.shape[1], 2)
            ]
            return {"sums": np.sum(pairs, axis=0)}

    monkeypatch.setattr("onnxfi.engine.runtime._cpu.Session", Kernels)
    assert int8_arithmetic.__wrapped__() == said


def test_this_machine_saturates_or_does_not():
    """AVX2 alone does, VNNI does not; the others are not known."""
    have = set(instruction_set().split("+"))
    if "avx512_vnni" in have or not have & {"avx2", "avx512f"}:
        assert int8_arithmetic() == "exact"
    else:
        assert int8_arithmetic() in ("exact", "saturating")  # AVX-VNNI is not among them
