"""Sizes of runs: only those in which every row has the bits of the golden run, in any company."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.engine import open_workload
from onnxfi.engine.cut import LateStart, PartChain, run_sizes
from onnxfi.engine.executable import Opening, open_stored
from onnxfi.engine.runtime import Watchdog

BY_ROW = """
<ir_version: 10, opset_import: ["" : 17]>
by_row (float[n, 4] x) => (float[n, 4] y)
<float[4] w = {1.0, -2.0, 3.0, 4.0}>
{ a = Mul(x, w)  b = Relu(a)  c = Add(b, x)  y = Neg(c) }
"""


@pytest.fixture
def chain_of(model_of, prepare):
    watchdog = Watchdog()

    def make(text, samples=9):
        x = np.random.default_rng(1).normal(size=(samples, 4)).astype(np.float32)
        workload = open_workload(model_of(text), {"x": x})
        prepared = prepare(model_of(text), workload, optimization="disabled", batch_size=samples)
        context = prepared.context
        sites = tuple(site for site in context.sites if not site.kind.stored)
        late = LateStart(context, open_stored(context, Opening(computed=sites), watchdog), watchdog)
        return late.chain, late.clean.of(late.clean.first, {}), late.clean.first.size

    yield make
    watchdog.close()


def _kernels(monkeypatch, changed):
    """Parts whose kernels give another last bit in runs of some sizes."""
    real = PartChain.prepared

    def prepared(self, position, lifted):
        run = real(self, position, lifted)

        def other(feeds, hurried):
            found = {name: value.copy() for name, value in run(feeds, hurried).items()}
            if len(next(iter(feeds.values()))) in changed:
                for value in found.values():
                    value.view(np.uint32)[0, 0] ^= 1
            return found

        return other

    monkeypatch.setattr(PartChain, "prepared", prepared)


@pytest.mark.parametrize("samples", [1, 9, 64])
def test_rows_that_are_alone_in_their_kernels_run_at_every_size(chain_of, samples):
    chain, golden, size = chain_of(BY_ROW, samples)
    for position in range(len(chain.parts)):
        assert run_sizes(chain, position, golden, {}, size) == (64, 16, 4, 1)


@pytest.mark.parametrize("samples", [1, 9])
@pytest.mark.parametrize("changed", [{64}, {16, 4}, {64, 16, 4}])
def test_sizes_that_change_a_bit_are_left_out(chain_of, monkeypatch, changed, samples):
    chain, golden, size = chain_of(BY_ROW, samples)
    _kernels(monkeypatch, changed)
    found = run_sizes(chain, 1, golden, {}, size)
    assert found == tuple(each for each in (64, 16, 4, 1) if each not in changed)


def test_other_bits_at_every_size_but_the_golden_one(chain_of, monkeypatch):
    chain, golden, size = chain_of(BY_ROW)
    _kernels(monkeypatch, set(range(65)) - {size})
    assert run_sizes(chain, 1, golden, {}, size) == ()
