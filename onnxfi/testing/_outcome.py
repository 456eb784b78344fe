"""What every criterion and every metric must keep to, whoever wrote it."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.faults import SampleLayout
from onnxfi.outcome import (
    CRITERIA,
    METRICS,
    BoundCriterion,
    Criterion,
    Metric,
    MetricSum,
    Outcome,
    RunOutputs,
    Tolerance,
    choose_criterion,
    classify,
    classify_samples,
    correct_samples,
    metrics_by_key,
    parse_criterion,
    parse_metric,
)
from onnxfi.workload import Labels

_SAMPLES, _CLASSES = 8, 10


class _OutputSuite:
    """Outputs of a made-up model, golden and faulty, samples on axis 0."""

    #: The output that carries the decision.
    output = "scores"

    def outputs(self) -> RunOutputs:
        """Golden outputs by name; by default two of scores (8, 10), from about -3 to 3."""
        rng = np.random.default_rng(0)
        shape = (_SAMPLES, _CLASSES)
        return {name: rng.normal(size=shape).astype(np.float32) for name in ("scores", "second")}

    def labels(self) -> Labels | None:
        """Labels of the samples: by default most are what the scores say, some are not."""
        answers = np.argmax(self.outputs()[self.output], axis=-1)
        answers[::4] = (answers[::4] + 1) % _CLASSES
        return np.asarray(answers, np.int64)

    def changed(self) -> Iterator[RunOutputs]:
        """Faulty outputs: of other signs, of another scale, with one sample or one element hit."""

        def one_sample(values: NDArray[Any]) -> NDArray[Any]:
            hit = values.copy()
            hit[1] = -hit[1]
            return hit

        def one_element(values: NDArray[Any]) -> NDArray[Any]:
            hit = values.copy()
            hit.reshape(len(hit), -1)[-1, 0] += 100
            return hit

        ways: list[Callable[[NDArray[Any]], NDArray[Any]]] = [
            np.negative,
            lambda values: values * values.dtype.type(1000),
            one_sample,
            one_element,
        ]
        for way in ways:
            yield {name: way(values) for name, values in self.outputs().items()}

    def _layouts(self, outputs: RunOutputs) -> dict[str, SampleLayout]:
        return {
            name: SampleLayout(shape=(1, *values.shape[1:]), batch_axis=0)
            for name, values in outputs.items()
        }


class CriterionSuite(_OutputSuite):
    """Tests of criteria; derive a class from it, and pytest runs them over yours.

    ::

        class TestBothMoved(CriterionSuite):
            def criteria(self):
                return [BothMoved(), BothMoved(by=2.0)]

    Criteria that can't judge scores of ten classes also need :meth:`outputs` that they can, and
    :meth:`labels` of those.
    """

    def criteria(self) -> Sequence[Criterion]:
        """The criteria to test: with their defaults, and with each option."""
        raise NotImplementedError

    def test_says_what_it_is(self) -> None:
        """The criterion has a text; that of a registered class begins with its name."""
        for criterion in self.criteria():
            assert criterion.spec(), f"{criterion!r} has an empty text"
            assert isinstance(criterion.by_row, bool), f"{criterion.spec()}: by_row is no bool"
            if _registered(CRITERIA, criterion):
                cls = CRITERIA.get(_word(criterion))
                assert cls.help, f"{cls.__name__} says no help"
                assert not cls.help.endswith("."), f"the help of {cls.__name__} ends with a stop"

    def test_text_reads_back(self) -> None:
        """The text of a registered criterion gives an equal one, with the same text."""
        for criterion in self.criteria():
            if _registered(CRITERIA, criterion):
                again = parse_criterion(criterion.spec())
                assert again == criterion, f"{criterion.spec()!r} reads back as another criterion"
                assert again.spec() == criterion.spec()

    def test_survives_pickling(self) -> None:
        """A criterion travels to worker processes."""
        for criterion in self.criteria():
            copy = pickle.loads(pickle.dumps(criterion))  # noqa: S301  # made a moment ago
            assert copy == criterion, f"{criterion.spec()!r} is another one after pickling"

    def test_equal_outputs_change_no_decision(self) -> None:
        """Golden outputs beside themselves decide alike."""
        for criterion, decided in self._cases(self.outputs()):
            assert not decided.any(), f"{criterion.spec()} sees a change where there is none"

    def test_some_outputs_change_a_decision(self) -> None:
        """There are outputs that change a decision."""
        seen = {
            criterion.spec(): False
            for criterion, decided in self._cases(self.outputs())
            if not decided.any()
        }
        for faulty in self.changed():
            for criterion, decided in self._cases(faulty):
                seen[criterion.spec()] |= bool(decided.any())
        assert all(seen.values()), (
            f"nothing changes a decision of {[s for s in seen if not seen[s]]}"
        )

    def test_samples_are_judged_one_by_one(self) -> None:
        """A sample's decision does not depend on the others in its batch."""
        for faulty in self.changed():
            for criterion, decided in self._cases(faulty):
                alone = [self._decided(criterion, faulty, k)[0] for k in range(len(decided))]
                assert alone == decided.tolist(), f"{criterion.spec()}: {alone} alone, {decided}"

    def test_answers_are_right_or_wrong(self) -> None:
        """With labels there is one answer a sample, or none at all."""
        golden, labels = self.outputs(), self.labels()
        if labels is None:
            return
        for criterion in self.criteria():
            bound = self._bound(criterion)
            right = correct_samples(golden, self._layouts(golden), bound, labels)
            if right is not None:
                assert right.dtype == np.bool_, f"{criterion.spec()}: right is {right.dtype}"
                assert right.shape == labels.shape, f"{criterion.spec()}: right is {right.shape}"

    def _cases(self, faulty: RunOutputs) -> Iterator[tuple[Criterion, NDArray[np.bool_]]]:
        """Each criterion, and in which samples it sees a changed decision."""
        for criterion in self.criteria():
            yield criterion, self._decided(criterion, faulty)

    def _decided(
        self, criterion: Criterion, faulty: RunOutputs, sample: int | None = None
    ) -> NDArray[np.bool_]:
        golden, labels = _locked(self.outputs(), sample), self.labels()
        if labels is not None and sample is not None:
            labels = labels[sample : sample + 1]
        bound, after = self._bound(criterion), _locked(faulty, sample)
        codes = classify_samples(golden, after, self._layouts(golden), bound, labels)
        return np.asarray(codes == Outcome.CRITICAL)

    def _bound(self, criterion: Criterion) -> BoundCriterion:
        golden = self.outputs()
        return choose_criterion(
            golden,
            self._layouts(golden),
            requested=criterion,
            output=self.output,
            labels=self.labels(),
        )


class MetricSuite(_OutputSuite):
    """Tests of metrics; derive a class from it, and pytest runs them over yours.

    ::

        class TestLargestError(MetricSuite):
            def metrics(self):
                return [LargestError(output="scores")]
    """

    def metrics(self) -> Sequence[Metric]:
        """The metrics to test: with their defaults, and with each option."""
        raise NotImplementedError

    def test_says_what_it_is(self) -> None:
        """The class is a metric, and says its name and help; its text begins with the name."""
        for metric in self.metrics():
            assert isinstance(metric, Metric), f"{metric!r} is not derived from Metric"
            assert metric.name == _word(metric), f"{metric.spec()!r} does not begin with its name"
            assert metric.help, f"{metric.name} says no help"
            assert not metric.help.endswith("."), f"the help of {metric.name} ends with a stop"
        assert metrics_by_key(self.metrics())

    def test_text_reads_back(self) -> None:
        """The text of a registered metric gives an equal one, with the same text."""
        for metric in self.metrics():
            if _registered(METRICS, metric):
                again = parse_metric(metric.spec())
                assert again == metric, f"{metric.spec()!r} reads back as another metric"
                assert again.spec() == metric.spec()

    def test_survives_pickling(self) -> None:
        """A metric travels to worker processes."""
        for metric in self.metrics():
            copy = pickle.loads(pickle.dumps(metric))  # noqa: S301  # made a moment ago
            assert copy == metric, f"{metric.spec()!r} is another metric after pickling"

    def test_some_outputs_have_a_value(self) -> None:
        """It is defined somewhere, and not always the same."""
        for metric in self.metrics():
            found = {self._sum(metric, faulty) for faulty in (self.outputs(), *self.changed())}
            assert any(each.samples for each in found), f"{metric.spec()} is defined nowhere"
            assert len(found) > 1, f"{metric.spec()} is the same for all outputs"

    def test_samples_are_measured_one_by_one(self) -> None:
        """The sum of a batch is that of its samples, each alone."""
        for metric in self.metrics():
            for faulty in self.changed():
                together, alone = self._sum(metric, faulty), MetricSum()
                for sample in range(len(faulty[self.output])):
                    alone += self._sum(metric, faulty, sample)
                same = math.isclose(together.total, alone.total, rel_tol=1e-9, abs_tol=1e-12)
                assert same, f"{metric.spec()}: {together} together, {alone} one by one"
                assert together.samples == alone.samples, f"{metric.spec()}: {together}, {alone}"

    def _sum(self, metric: Metric, faulty: RunOutputs, sample: int | None = None) -> MetricSum:
        golden, labels = _locked(self.outputs(), sample), self.labels()
        if labels is not None and sample is not None:
            labels = labels[sample : sample + 1]
        bound = BoundCriterion(
            criterion=Tolerance(0.0), output=self.output, metrics=metrics_by_key([metric])
        )
        counts = classify(golden, _locked(faulty, sample), self._layouts(golden), bound, labels)
        return counts.metrics[metric.spec()]


def _locked(outputs: RunOutputs, sample: int | None) -> dict[str, NDArray[Any]]:
    """Outputs of all samples, or of one, that can't be changed in place."""
    part = slice(None) if sample is None else slice(sample, sample + 1)
    found = {name: values[part].copy() for name, values in outputs.items()}
    for values in found.values():
        values.flags.writeable = False
    return found


def _word(plugin: Criterion | Metric) -> str:
    return plugin.spec().partition(":")[0]


def _registered(registry: Any, plugin: Criterion | Metric) -> bool:
    """Whether the plug-in's class is the one that its text leads to."""
    name = _word(plugin)
    return name in registry and registry.get(name) is type(plugin)
