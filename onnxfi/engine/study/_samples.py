"""What a sample is: the readings that a source of samples allows, tried until one is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from onnxfi.engine.runtime import EngineSettings, Session, Watchdog
from onnxfi.engine.study._independence import own_session
from onnxfi.engine.study._trial import Proof, Trial, tried
from onnxfi.errors import GoldenError, WorkloadError
from onnxfi.graph import Model
from onnxfi.workload import (
    Reading,
    SampleChoice,
    SampleSource,
    Signature,
    Source,
    StateStream,
    Ways,
    Workload,
    open_source,
)


def open_workload(
    model: Model,
    source: Source,
    *,
    stream: StateStream | None = None,
    choice: SampleChoice | None = None,
    settings: EngineSettings | None = None,
) -> Workload:
    """Read samples, and find out what a sample is.

    Shapes and the names of dimensions say which readings are possible; the model is run on two and
    three samples of each until one is borne out: outputs grow along an axis with the number of
    samples, and no sample's output changes when another is replaced.

    Args:
        model: The model.
        source: See :func:`onnxfi.workload.open_source`.
        stream: Which inputs are state; then each sample is a whole sequence.
        choice: What the user says about samples.
        settings: How the model is run.

    Raises:
        WorkloadError: The source does not fit the model, or several readings are possible, or
            none is borne out; the message has the options that choose.
        GoldenError: The fault-free model fails on the samples.
        BackendError: onnxruntime refuses the model.
    """
    signature = Signature(inputs=model.inputs, outputs=model.outputs, stream=stream)
    opened = open_source(source, signature, choice)
    asked = settings or EngineSettings()
    # What can't be studied is refused later, where the reason is known.
    provider = "cpu" if asked.graph == "deployed" else asked.provider
    plain = replace(asked, stream=stream, graph="stored", provider=provider)
    with closing(Watchdog()) as watchdog:
        return _Choice(model, opened, plain, watchdog).workload()


class _Choice:
    """The readings of one source, tried one after another.

    Args:
        model: The model.
        source: The samples.
        settings: How the model is run.
        watchdog: Ends runs that take too long.
    """

    def __init__(
        self, model: Model, source: SampleSource, settings: EngineSettings, watchdog: Watchdog
    ) -> None:
        self._model = model
        self._source = source
        self._settings = settings
        self._watchdog = watchdog
        self._session: Session | None = None
        self._errors: list[GoldenError | WorkloadError] = []

    def workload(self) -> Workload:
        """The samples in the reading that is borne out.

        Raises:
            WorkloadError: None is, or several are.
            GoldenError: The model fails on all of them.
        """
        ways = self._source.ways()
        if len(ways.ways) == 1 and (ways.fallback in (None, ways.ways[0])):
            only = self._source.workload(ways.ways[0])
            if not any(role.batched for role in only.reading.inputs.values()):
                return only  # runs hold a single sample, whatever the model does with it
        plain = [way for way in ways.ways if _plain(way)]
        others = [way for way in ways.ways if not _plain(way)]
        first = self._first(plain)
        found = self._lead(first)
        if found is not None:
            return found.workload
        second = self._others(others)
        apart = _largest([trial for trial in second if trial.proof is Proof.APART])
        if len(apart) > 1:
            raise WorkloadError(self._several(apart))
        return apart[0].workload if apart else self._left([*first, *second], ways)

    def _first(self, plain: Sequence[Reading]) -> list[Trial]:
        """Readings with the samples on first axes, but for those that go without some of them."""
        trials: list[Trial] = []
        settled: list[Reading] = []
        for way in plain:
            if any(_within(way, other) for other in settled):
                continue
            trial = self._try(way)
            if trial is None:
                continue
            trials.append(trial)
            if trial.proof is Proof.APART or _certain(trial):
                settled.append(way)
                if self._streams:
                    break
        return trials

    @property
    def _streams(self) -> bool:
        return self._settings.stream is not None

    def _lead(self, trials: Sequence[Trial]) -> Trial | None:
        """The reading that is borne out; None if there is none."""
        found = [trial for trial in trials if trial.proof is Proof.APART or _certain(trial)]
        # One run of everything is always possible, and no rival of samples that are kept apart.
        several = [trial for trial in found if trial.workload.samples > 1] or found
        if len(several) > 1:
            raise WorkloadError(self._several(several))
        return several[0] if several else None

    def _others(self, ways: Iterable[Reading]) -> list[Trial]:
        trials: list[Trial] = []
        for way in ways:
            trial = self._try(way)
            if trial is not None:
                trials.append(trial)
                if trial.proof is Proof.APART and self._streams:
                    break
        return trials

    def _try(self, reading: Reading) -> Trial | None:
        try:
            workload = self._source.workload(reading)
            if self._session is None:
                self._session = own_session(self._model, self._settings, self._watchdog)
            return tried(self._model, self._session, workload)
        except (GoldenError, WorkloadError) as error:
            self._errors.append(error)
            return None

    def _left(self, trials: Sequence[Trial], ways: Ways) -> Workload:
        """The reading to go on with where none keeps samples apart in runs of several."""
        source, fallback = self._source, ways.fallback
        if source.runs and fallback is not None:
            return source.workload(fallback)
        for proof in (Proof.SINGLE, Proof.ROUNDED):
            fitting = [trial for trial in trials if trial.proof is proof]
            if fitting:
                return fitting[0].workload
        if fallback is not None:
            return source.workload(fallback)
        if trials and (self._streams or (source.choice.explicit and len(trials) == 1)):
            return trials[0].workload
        if not trials:
            # All of it in one run may be the only way in which the model runs at all.
            whole = None if ways.whole is None else self._try(ways.whole)
            if whole is None:
                raise self._errors[0] if ways.doubt is None else WorkloadError(ways.doubt)
            return whole.workload
        raise WorkloadError(self._none(trials, ways))

    def _several(self, trials: Sequence[Trial]) -> str:
        told = "; or ".join(_told(trial) for trial in trials)
        return f"{self._source.where} can be read in {len(trials)} ways: {told}; say which"

    def _none(self, trials: Sequence[Trial], ways: Ways) -> str:
        told = [f"{_told(trial)}, one a run" for trial in trials[:3]]
        if ways.whole is not None:
            every = " ".join(f"--whole-input {spec.name}" for spec in self._model.inputs)
            told.append(f"one sample, all of it in one run ({every})")
        return (
            f"{self._source.where}: what a sample is can't be told from the model, since"
            f" {trials[0].reason}. It may be {'; or '.join(told)}; or give what each run gets as an"
            " entry of a new first axis, with --samples-are-runs"
        )


def _plain(reading: Reading) -> bool:
    """Whether all samples are on first axes, of arrays and of the model's inputs."""
    return not any(role.axis or role.at for role in reading.inputs.values())


def _certain(trial: Trial) -> bool:
    """Whether shapes leave no other reading: each run holds one sample."""
    return trial.proof is Proof.SINGLE and (
        trial.workload.fixed_batch == 1
        or not any(role.batched for role in trial.reading.inputs.values())
    )


def _largest(trials: Sequence[Trial]) -> list[Trial]:
    """The readings but for those that another one has more samples' inputs than."""
    return [
        trial
        for trial in trials
        if not any(_within(trial.reading, other.reading) for other in trials)
    ]


def _within(part: Reading, whole: Reading) -> bool:
    mine, theirs = part.inputs, whole.inputs
    differ = [name for name in mine if mine[name] != theirs[name]]
    return bool(differ) and all(mine[name].at is None for name in differ)


def _told(trial: Trial) -> str:
    """``5 samples (--batch-axis x=0:1 --whole-input k)``."""
    roles: Mapping[str, str] = trial.reading.texts()
    options = [
        f"--whole-input {name}" if text == "whole" else f"--batch-axis {name}={text}"
        for name, text in roles.items()
        if text != "each" and not (text == "whole" and trial.workload.constants[name].ndim == 0)
    ]
    count = trial.workload.samples
    return f"{count} sample{'s' * (count != 1)} ({' '.join(options)})"
