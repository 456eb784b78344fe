"""Pages of sensitivities: long ones are cut, and say so."""

from __future__ import annotations

import numpy as np

from onnxfi.bits import ElementType
from onnxfi.campaign import Measured
from onnxfi.faults import BitFlip, FaultSite, FaultSpace, SampleLayout, SiteKind
from onnxfi.report import sensitivity_document, sensitivity_page
from onnxfi.sensitivity import Cost, Sensitivity, SensitivityScores, expect
from onnxfi.sensitivity.scores import BitScores
from onnxfi.settings import SensitivityOptions


def _measured(sites: int, notes: int) -> Measured:
    """Sites w0, w1, ... of which the later ones fail more often, by bit 7 alone."""
    names = [f"w{number}" for number in range(sites)]
    scores = {
        name: BitScores(element=ElementType.INT8, by_bit=np.eye(8)[7] * place / sites)
        for place, name in enumerate(names, 1)
    }
    found = Sensitivity(
        scores=SensitivityScores.of_sites(scores, drop=0.05),
        options=SensitivityOptions(samples=4),
        model_sha256="m",
        inputs_sha256="i",
        criterion="top1",
        cost=Cost(samples=2_001, runs=9),
        methods=dict.fromkeys(names, "trials"),
        notes=tuple(f"note {number}" for number in range(notes)),
    )
    layout = SampleLayout(shape=(2,), batch_axis=None)
    space = FaultSpace(
        [
            FaultSite(
                name=name,
                kind=SiteKind.WEIGHT,
                element=ElementType.INT8,
                node="n",
                op_type="Gemm",
                layer="n",
                layout=layout,
            )
            for name in names
        ],
        [BitFlip()],
    )
    return Measured(sensitivity=found, space=space, samples=1_000)


def test_a_short_one_is_shown_whole() -> None:
    measured = _measured(sites=2, notes=2)
    page = sensitivity_page(measured, expect(measured.space, measured.sensitivity.scores), "m.onnx")
    sites, bits = page.tables  # no channels are known
    assert [row.cells[0] for row in sites.rows] == ["w0", "w1"]
    assert [row.cells[0] for row in bits.rows] == ["7"]
    assert bits.rows[0].cells[-1] == "100.0 %"
    assert page.notes == ("note 0", "note 1")
    facts = {fact.label: fact.text for fact in page.facts}
    assert facts["cost"].startswith("2,001 sample-inferences beyond fault-free runs, as many as 3 ")
    assert facts["calibrated on"] == "the first 4 samples of 1,000"


def test_of_many_sites_the_likeliest_are_shown_and_of_many_notes_the_first() -> None:
    measured = _measured(sites=30, notes=9)
    expected = expect(measured.space, measured.sensitivity.scores)
    page = sensitivity_page(measured, expected, "m.onnx")
    assert [row.cells[0] for row in page.tables[0].rows] == [f"w{k}" for k in range(10, 30)]
    assert page.tables[0].left_out == 10
    assert page.notes[4:] == ("note 4", "and 4 notes more, which --json lists")
    document = sensitivity_document(measured, expected)
    assert len(document["sites"]) == 30
    assert len(document["notes"]) == 9
    assert document["cost"]["injections"] == 3
