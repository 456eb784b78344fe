"""Scores by bit: the worst bit that a fault touches decides."""

from __future__ import annotations

import numpy as np

from onnxfi.bits import ElementType
from onnxfi.faults import Columns, FaultSite, SampleLayout, SiteKind
from onnxfi.sensitivity import SensitivityScores
from onnxfi.sensitivity.scores import BitScores

EVERY = 2**64 - 1


def _columns(keep: list[int], flip: list[int]) -> Columns:
    rows = np.arange(len(keep))
    return Columns(
        owner=rows,
        index=rows * 0,
        and_mask=np.array(keep, np.uint64),
        xor_mask=np.array(flip, np.uint64),
    )


def _scores() -> BitScores:
    by_bit = np.array([0.0, 0.0, 0.25, 0.0, 0.0, 0.0, 0.5, 1.0])
    return BitScores(element=ElementType.INT8, by_bit=by_bit)


def test_flipped_and_held_bits_count() -> None:
    keep = [EVERY, EVERY, EVERY, EVERY ^ 4, EVERY ^ 0xFF]
    flip = [128, 1, 4 | 64, 0, 0]
    np.testing.assert_array_equal(_scores().lost(_columns(keep, flip)), [1.0, 0, 0.5, 0.25, 1.0])


def test_they_are_scores_of_a_site() -> None:
    site = FaultSite(
        name="t",
        kind=SiteKind.ACTIVATION,
        element=ElementType.INT8,
        node="n",
        op_type="Relu",
        layer="n",
        layout=SampleLayout(shape=(1, 3), batch_axis=0),
    )
    scores = SensitivityScores(sites={"t": _scores()}, drop=0.25, digest="0")
    likely = scores.of(site, _columns([EVERY] * 3, [128, 4, 1]), 3)
    assert likely[0] > likely[1] == 0.5 > likely[2] == 0
