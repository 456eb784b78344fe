"""One case as a campaign: it is refused before a folder exists, or it runs to its end."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnxfi import Campaign, OnnxFIError, UniformSampler
from operators.cases import Case, loads

_TARGETS = ("activation", "input", "weight", "bias")
_CRITERIA = ("top1", "tolerance:1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What came of a case.

    Attributes:
        case: Its name.
        state: ``ran``; ``refused`` (nothing was made); ``not loaded`` (onnxruntime refuses the
            model, or an input is no tensor); or ``late`` (it failed with a folder made, or not by
            an error of onnxfi's).
        said: The engine that ran it, or the refusal.
    """

    case: str
    state: str
    said: str = ""


def carry_out(case: Case, engine: str, injections: int = 6) -> Carried:
    """A short campaign on the inputs of a case, judged by its first output."""
    arrays = case.inputs.values()
    if not all(isinstance(values, np.ndarray) for values in arrays) or not loads(case):
        return Carried(case=case.name, state="not loaded")
    with tempfile.TemporaryDirectory(prefix="onnxfi-") as parent:
        folder = Path(parent) / "campaign"
        try:
            campaign = _made(case, engine, injections, folder)
            campaign.run()
        except Exception as error:  # whatever it is, it has to be told
            early = isinstance(error, OnnxFIError) and not folder.exists()
            state = "refused" if early else "late"
            return Carried(case=case.name, state=state, said=f"{type(error).__name__}: {error}")
        return Carried(case=case.name, state="ran", said=campaign.opened.plan.engine)


def _made(case: Case, engine: str, injections: int, folder: Path) -> Campaign:
    """The campaign, by the first criterion that its first output suits."""
    for criterion in _CRITERIA:
        try:
            return Campaign.create(
                folder,
                model=case.model,
                inputs={name: values[np.newaxis] for name, values in case.inputs.items()},
                targets=_TARGETS,
                sampler=UniformSampler(n=injections, seed=1),
                engine=engine,
                criterion=criterion,
                criterion_output=case.model.graph.output[0].name,
            )
        except OnnxFIError as error:
            if criterion == _CRITERIA[-1] or f"criterion {criterion} can't judge" not in str(error):
                raise
    raise AssertionError


def carried_lines(found: Sequence[Carried], engine: str) -> Iterator[str]:
    """The figure, and by name what failed late."""
    states = Counter(each.state for each in found)
    engines = Counter(each.said for each in found if each.state == "ran")
    shares = ", ".join(f"{name} {count:,}" for name, count in engines.most_common())
    yield (
        f"--engine {engine}: {states['ran']:,} campaigns ran ({shares}), {states['refused']:,} were"
        f" refused before a folder was made, {states['late']:,} failed later"
        f" ({states['not loaded']:,} cases have no model that loads, or no tensors as inputs)"
    )
    for each in found:
        if each.state == "late":
            yield f"late: {each.case}: {each.said}"
