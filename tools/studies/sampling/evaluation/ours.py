"""The package's own scores, measured on images that no fault is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from evaluation.bench import context_of, prepare
from evaluation.targets import CALIBRATION_IMAGES, Target
from onnxfi.sampling import Scores
from onnxfi.sensitivity import measure
from onnxfi.settings import SensitivityOptions

SENSITIVITY: Mapping[int, str] = MappingProxyType(
    {0: "sensitivity by rules", 1: "sensitivity by probes"}
)
"""Names of the methods, by tier."""

SAMPLES = SensitivityOptions().samples


def sensitivity(
    target: Target, folders: Sequence[Path], tier: int, samples: int
) -> tuple[Scores, int]:
    """Scores of a target's faults, and how many samples were run to get them.

    Args:
        target: The target.
        folders: Where models and test sets are.
        tier: 0 for rules, 1 for probes.
        samples: Calibration images, at most ``CALIBRATION_IMAGES``.
    """
    options = SensitivityOptions(tier=tier, samples=samples)
    last = slice(-CALIBRATION_IMAGES, samples - CALIBRATION_IMAGES or None)
    context, _ = context_of(prepare(target, folders, last))
    found = measure(context, context.sites, options)
    return found.scores, found.cost.samples
