"""What an engine answers to a scenario: an outcome a sample, and the scores behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine import BatchResult, Engine, EngineContext
from onnxfi.faults import Scenario
from onnxfi.outcome import Outcome, classify_samples

#: Outcomes by the word that stands for them; each way to be due counts as due.
WORDS = {
    Outcome.MASKED: "masked",
    Outcome.TOLERABLE: "tolerable",
    Outcome.CRITICAL: "critical",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """One scenario carried out by one engine.

    Attributes:
        codes: int8 (samples,) of :class:`Outcome`.
        unchanged: bool (samples,), all outputs have the bits of the fault-free run.
        golden: Fault-free scores (samples, classes).
        faulty: Faulty scores, NaN where a run gave none.
    """

    codes: NDArray[np.int8]
    unchanged: NDArray[np.bool_]
    golden: NDArray[Any]
    faulty: NDArray[Any]

    def words(self) -> list[str]:
        """The outcome of each sample in words."""
        return [WORDS.get(Outcome(code), "due") for code in self.codes.tolist()]


def answer_of(engine: Engine, scenario: Scenario, context: EngineContext) -> Answer:
    """Carry out a scenario, sample by sample."""
    parts = [_part(result, context) for result in engine.results(scenario)]
    columns = list(zip(*parts, strict=True))
    codes, unchanged, golden, faulty = (np.concatenate(column) for column in columns)
    return Answer(codes=codes, unchanged=unchanged, golden=golden, faulty=faulty)


def _part(result: BatchResult, context: EngineContext) -> tuple[NDArray[Any], ...]:
    count, name = result.window.samples, context.criterion.output
    golden = result.golden[name][:count]
    if result.faulty is None:
        failure = int(result.failure or Outcome.DUE_EXCEPTION)
        codes = np.full(count, failure, np.int8)
        return codes, np.zeros(count, np.bool_), golden, np.full_like(golden, np.nan)
    codes = classify_samples(
        result.golden, result.faulty, context.profile.outputs, context.criterion, samples=count
    )
    unchanged = np.array(list(_unchanged(result, count)), np.bool_)
    return codes, unchanged, golden, result.faulty[name][:count]


def _unchanged(result: BatchResult, count: int) -> Iterator[bool]:
    """Whether all outputs of a sample have the golden bits; not by the classifier's own means.

    Models of the zoo have the batch on the first axis of every output.
    """
    assert result.faulty is not None
    for sample in range(count):
        yield all(
            result.faulty[name][sample].tobytes() == value[sample].tobytes()
            for name, value in result.golden.items()
        )


def margin(scores: NDArray[Any]) -> float:
    """Distance of the two best scores of a sample; NaN if a score is none."""
    second, best = np.sort(scores.astype(np.float64))[-2:]
    return float(best - second)
