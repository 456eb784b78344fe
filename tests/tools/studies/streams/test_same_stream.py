"""Five exports of one recurrent network fail alike: the same faults, whole sequences, campaigns."""

from __future__ import annotations

import pytest
from streams.audio import frames
from streams.compare import Comparison, compare
from streams.exports import EXPORTS, WRITTEN_OUT

import onnxfi as fi

pytestmark = pytest.mark.skipif(
    EXPORTS[0].path() is None, reason="package silero-vad is not installed"
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Comparison]:
    folder = tmp_path_factory.mktemp("streams")
    sampler = fi.UniformSampler(n=32, seed=1)
    return compare(fi.BitFlip(bits="29-31"), sampler, frames(3, 12), folder)


@pytest.mark.heavy
def test_every_weight_is_found_in_every_export(found: list[Comparison]) -> None:
    assert all(len(each.counts) == len(EXPORTS) for each in found)
    assert len({each.site for each in found}) > 4


@pytest.mark.heavy
def test_faults_have_the_same_critical_and_due_counts_in_all_exports(
    found: list[Comparison],
) -> None:
    """But for the export without an LSTM operator where a fault makes something not finite.

    With biases, onnxruntime's LSTM makes finite numbers of NaN; the cell written out in single
    operators hands it on, so that there it is detected.
    """
    for each in found:
        if not each.differing():
            continue
        assert each.differing() == [WRITTEN_OUT]
        lone = each.counts[WRITTEN_OUT]
        others = [counts for name, counts in each.counts.items() if name != WRITTEN_OUT]
        assert lone.due > 0
        assert all(counts.due == 0 for counts in others)
        assert all(lone.critical + lone.due >= counts.critical for counts in others)
    first = [each.counts[EXPORTS[0].name] for each in found]
    for kind in ("masked", "tolerable", "critical"):
        assert sum(getattr(counts, kind) for counts in first), kind
    same = [each for each in found if not each.differing()]
    assert any(each.counts[WRITTEN_OUT].critical for each in same)
