"""What scores expect of a fault space: sums over all faults, however they are divided."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from onnxfi.errors import ConfigError
from onnxfi.faults import BitFlip, Burst, Columns, FaultModel, FaultSite, FaultSpace, StuckAt
from onnxfi.sensitivity import Expected, Sensitivity, expect
from onnxfi.sensitivity.scores import likelihood

Sites = tuple[FaultSite, ...]


def _one_by_one(space: FaultSpace, found: Sensitivity) -> dict[str, dict[str, float]]:
    """Sums by site, bit and channel, a fault at a time."""
    sums: dict[str, dict[str, float]] = {name: defaultdict(float) for name in ("site", "bit", "c")}
    stride = {"w": 4, "b": 1, "y": 1, "z": 0}  # what z is divided into is not known
    where = space.where(np.arange(space.size))
    for number in range(space.size):
        (part,) = space.stretches(number, number + 1)
        (likely,) = found.scores.of(part.site, part.columns, 1)
        sums["site"][part.site.name] += likely
        if where.bit[number] >= 0:
            sums["bit"][f"{part.site.element.value}:{where.bit[number]}"] += likely
        if stride[part.site.name]:
            channel = int(part.columns.index[0]) // stride[part.site.name]
            sums["c"][f"{part.site.name}/{channel}"] += likely
    return sums


def _of(expected: Expected) -> dict[str, dict[str, float]]:
    return {
        "site": {row.key: row.failures for row in expected.sites},
        "bit": {row.key: row.failures for row in expected.bits},
        "c": {f"{row.site}/{row.key}": row.failures for row in expected.channels},
    }


@pytest.mark.parametrize(
    "models",
    [
        [BitFlip()],
        [BitFlip(bits="exponent,sign,7"), StuckAt(value=1)],
        [Burst(length=2, along="bits")],
    ],
)
def test_sums_are_those_of_single_faults(
    found: Sensitivity, sites: Sites, models: list[FaultModel], bounds: Callable[..., None]
) -> None:
    space = FaultSpace(sites, models)
    bounds(scores_together=50)  # many blocks, whose ends lie within sites
    expected = expect(space, found.scores, channels=100)
    single = _one_by_one(space, found)
    for name, rows in _of(expected).items():
        assert rows == pytest.approx(single[name])
    assert expected.faults == space.size
    assert expected.failures == pytest.approx(sum(single["site"].values()))
    assert sum(expected.share(row) for row in expected.sites) == pytest.approx(1)
    assert 0 < expected.rate < 1


def test_rows_say_how_much_there_is_of_them(found: Sensitivity, sites: Sites) -> None:
    space = FaultSpace(sites, [BitFlip()])
    expected = expect(space, found.scores)
    assert [(row.key, row.elements, row.bits, row.faults) for row in expected.sites] == [
        ("w", 12, 384, 384),
        ("b", 3, 24, 24),
        ("y", 3, 96, 96),
        ("z", 2, 16, 16),
    ]
    kinds = Counter(row.key.split(":")[0] for row in expected.bits)
    assert kinds == {"float32": 32, "int8": 8}
    assert {row.faults for row in expected.bits if row.key.startswith("float32")} == {15}
    failures = [row.failures for row in expected.channels]
    assert failures == sorted(failures, reverse=True)
    assert len(failures) == 9
    assert len(expect(space, found.scores, channels=2).channels) == 2


def test_progress_ends_with_all_faults(
    found: Sensitivity, sites: Sites, bounds: Callable[..., None]
) -> None:
    space = FaultSpace(sites, [BitFlip()])
    bounds(scores_together=100)
    seen: list[tuple[int, int]] = []
    expect(space, found.scores, on_progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == [100, 200, 300, 400, 500, 520]
    assert {total for _, total in seen} == {520}


def test_a_fault_in_several_elements_is_as_likely_as_the_likeliest(
    found: Sensitivity, sites: Sites
) -> None:
    space = FaultSpace(sites, [BitFlip()])
    (first, *_) = space.stretches(0, 200)
    single = found.scores.of(first.site, first.columns, 200)
    order = np.argsort(-single, kind="stable")
    assert single[order[0]] > single[order[-1]]
    pair = order[[0, -1]]  # the likeliest first, so that the last of the two is another one
    both = Columns(
        owner=np.zeros(2, np.int64),
        index=first.columns.index[pair],
        and_mask=first.columns.and_mask[pair],
        xor_mask=first.columns.xor_mask[pair],
    )
    assert found.scores.of(first.site, both, 1) == pytest.approx(single[order[0]])


def test_what_loses_as_much_as_a_failure_fails_as_likely_as_not() -> None:
    assert likelihood(np.array([0.0, 0.05, 0.45]), 0.05) == pytest.approx([0, 0.5, 0.9])


def test_a_site_that_was_not_measured_is_named(found: Sensitivity, sites: Sites) -> None:
    scores = type(found.scores).of_sites({"w": found.scores.sites["w"]}, drop=0.05)
    with pytest.raises(ConfigError, match="no scores for site 'b'"):
        expect(FaultSpace(sites, [BitFlip()]), scores)
