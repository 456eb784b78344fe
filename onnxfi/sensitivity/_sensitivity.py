"""What measuring a sensitivity gives: scores, and how they were come by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnxfi.sensitivity._cost import Cost
from onnxfi.sensitivity._options import SensitivityOptions
from onnxfi.sensitivity._scores import SensitivityScores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sensitivity:
    """Scores of the faults of some sites of a model, measured on calibration samples.

    Attributes:
        scores: How likely each fault is to fail; what samplers take.
        options: How it was measured.
        model_sha256: The model.
        inputs_sha256: The calibration samples.
        criterion: What a changed decision was.
        cost: What was run beyond fault-free runs.
        methods: By site, what its scores come from: ``rule``, ``probes`` or ``trials``.
        notes: What a reader should know, in sentences.
    """

    scores: SensitivityScores
    options: SensitivityOptions
    model_sha256: str
    inputs_sha256: str
    criterion: str
    cost: Cost
    methods: Mapping[str, str]
    notes: tuple[str, ...] = ()
