"""One case: every injectable tensor is opened, and disarmed and armed runs are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from onnxfi.bits import ElementType, apply_masks, format_of, from_words, to_words
from onnxfi.engine import EngineSettings, RunFailedError, Session, open_workload, profile
from onnxfi.errors import BackendError, OnnxFIError
from onnxfi.faults import FaultGroup, FaultSite, SampleLayout, Scenario, SiteTable, enumerate_sites
from onnxfi.graph import Model, expose, initializer_words, load, serialize
from onnxfi.inject import BatchWindow, Instrumented, arm, can_open, instrument
from operators.cases import Case, loads

_WINDOW = BatchWindow(start=0, stop=1, size=1)
_SETTINGS = EngineSettings(optimization="disabled")

_HALVES = (ElementType.FLOAT16, ElementType.BFLOAT16)
_ROUNDED = "rounded to half precision where a value is opened"

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of a case.

    Attributes:
        case: Its name.
        state: ``held``; ``rounded`` (held, but for the last bits of a computation in half
            precision, which is rounded wherever a value is opened); ``not loaded`` (onnxruntime
            refuses the model); ``not run`` (it refuses the inputs); ``nothing`` (no tensor can be
            opened); or ``broken``.
        reason: Why, in words; empty for what holds.
        sites: Tensors that were opened.
        left_out: Inputs and outputs that were not, with reasons.
    """

    case: str
    state: str
    reason: str = ""
    sites: int = 0
    left_out: tuple[str, ...] = ()


def check(case: Case) -> Finding:
    """Open every injectable tensor of a case, and compare.

    Disarmed, all outputs have the bits of the untouched model's and are what the case expects
    (where onnxruntime itself gives that). With a bit of an input flipped through its port, they
    have the bits that the untouched model gives for an input with that bit flipped; with a bit of
    an output flipped, that output differs as numpy says.
    """
    if not loads(case):
        return Finding(case=case.name, state="not loaded")
    try:
        model = load(case.model)
        runner = Runner(case, model)
        try:
            clean = runner.run(model, case.inputs)
            again = runner.run(model, case.inputs)
        except RunFailedError as error:
            return Finding(case=case.name, state="not run", reason=str(error))
        table = _sites(case, model, runner)
    except OnnxFIError as error:
        return Finding(case=case.name, state="broken", reason=f"{type(error).__name__}: {error}")
    sites = [site for site in table.sites if can_open(site) is None]
    left_out = _left_out(model, table)
    if not sites:
        return Finding(case=case.name, state="nothing", reason="; ".join(left_out))
    random = not _same(clean, again)
    try:
        opened = instrument(model, sites)
        reason = None if random else _compare(case, runner, opened, clean)
    except OnnxFIError as error:
        reason = f"{type(error).__name__}: {error}"
    except RunFailedError as error:
        reason = f"the instrumented model fails: {error}"
    rounded = reason == _ROUNDED
    return Finding(
        case=case.name,
        state="rounded" if rounded else "broken" if reason else "held",
        reason=reason or "",
        sites=len(sites),
        left_out=tuple(left_out),
    )


class Runner:
    """Runs models of a case: by onnxfi's sessions, or bare where those take no such inputs.

    Args:
        case: The case.
        model: Its model.
    """

    def __init__(self, case: Case, model: Model) -> None:
        self._plain = case.plain
        self._outputs = [spec.name for spec in model.outputs]
        self._held: tuple[Model, Any] | None = None

    def run(self, model: Model, feeds: Values) -> dict[str, Any]:
        """All outputs that the case has, by name."""
        return self.wanted(model, feeds, self._outputs)

    def wanted(self, model: Model, feeds: Values, names: Sequence[str]) -> dict[str, Any]:
        """Some outputs by name."""
        if self._held is None or self._held[0] is not model:
            session = _session(model) if self._plain else _bare(model)
            self._held = (model, session)
        session = self._held[1]
        if not names:
            return {}
        if self._plain:
            return dict(session.run(feeds, names))
        given = {name: value for name, value in feeds.items() if value is not None}
        try:
            found = session.run(list(names), given)
        except Exception as error:  # its exceptions have no common base of their own
            raise RunFailedError(str(error)) from error
        return dict(zip(names, found, strict=True))


def _session(model: Model) -> Session:
    """Without optimisation, but for operators that onnxruntime expands while it optimises."""
    try:
        return Session(model, _SETTINGS)
    except BackendError:
        return Session(model, EngineSettings())


def _bare(model: Model) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        serialize(model).data, options, providers=["CPUExecutionProvider"]
    )


def _sites(case: Case, model: Model, runner: Runner) -> SiteTable:
    """All sites, with the layouts that a user of the case's inputs would get."""
    layouts: Mapping[str, SampleLayout]
    if case.plain:
        arrays = {name: value[np.newaxis] for name, value in case.inputs.items()}
        found = profile(model, open_workload(model, arrays), _SETTINGS)
        layouts, unseen = found.layouts, found.left_out
    else:
        layouts, unseen = _layouts(case, model, runner), {}
    return enumerate_sites(model.index, model.inputs, model.outputs, layouts, unseen)


def _layouts(case: Case, model: Model, runner: Runner) -> dict[str, SampleLayout]:
    """Shapes of all tensors of a run, where a workload can't hold the inputs."""
    index = model.index
    made = [name for node in index.nodes if not node.scope for name in node.outputs if name]
    tensors = [name for name in made if index.kind_of(name) == "tensor"]
    values = {**case.inputs, **runner.wanted(expose(model, tensors), case.inputs, tensors)}
    return {
        name: SampleLayout(shape=np.shape(value), batch_axis=None)
        for name, value in values.items()
        if isinstance(value, (np.ndarray, np.generic))
    }


def _left_out(model: Model, table: SiteTable) -> list[str]:
    """Inputs and outputs of the operator that can't be opened, each with its reason."""
    reasons = {left.name: left.reason for left in table.left_out}
    reasons |= {site.name: reason for site in table.sites if (reason := can_open(site))}
    ends = [spec.name for spec in (*model.inputs, *model.outputs)]
    return [f"{name}: {reasons[name]}" for name in ends if name in reasons]


def _compare(case: Case, runner: Runner, opened: Instrumented, clean: Values) -> str | None:
    """What differs, None if nothing does."""
    words = {
        lift.site.name: initializer_words(opened.model, lift.site.name)
        if lift.site.name in opened.model.index.initializers
        else initializer_words(load(case.model), lift.site.name)
        for lift in opened.lifts
    }

    def run(scenario: Scenario | None) -> dict[str, Any]:
        extra = arm(opened, scenario, window=_WINDOW, stored_words=words)
        return runner.run(opened.model, {**case.inputs, **extra})

    disarmed = run(None)
    for name, wanted in zip(clean, case.expected, strict=False):
        if _close(clean[name], wanted, case) and not _close(disarmed[name], wanted, case):
            return f"output {name!r} is not what the case expects"
    if not _same(clean, disarmed):
        half = any(port.site.element in _HALVES for port in opened.ports)
        return _ROUNDED if half else "disarmed it gives other bits than the untouched model"
    for port in opened.ports:
        reason = _armed(case, runner, port.site, run, clean)
        if reason is not None:
            return f"{port.site.name!r} armed: {reason}"
    return None


def _armed(case: Case, runner: Runner, site: FaultSite, run: Any, clean: Values) -> str | None:
    """Whether a flip in an input or an output is what numpy makes of it."""
    scenario = _flip(site)
    if site.name in case.inputs:
        fed = {**case.inputs, site.name: _flipped(case.inputs[site.name], site, scenario)}
        try:
            expected = runner.run(load(case.model), fed)
        except RunFailedError:
            expected = None
        try:
            given = run(scenario)
        except RunFailedError:
            return None if expected is None else "the run fails, but not that of a faulty input"
        if expected is None:
            return "the run of a faulty input fails, but not this one"
        return None if _same(expected, given) else "other bits than a faulty input gives"
    if site.name not in clean:
        return None
    given = run(scenario)[site.name]
    wanted = _flipped(clean[site.name], site, scenario)
    return None if _same({"": wanted}, {"": given}) else "other bits than numpy gives"


def _flip(site: FaultSite) -> Scenario:
    """The lowest bit of the last element: small numbers that are sizes stay small."""
    assert site.layout is not None
    group = FaultGroup(
        site=site.name,
        index=np.array([site.layout.elements - 1]),
        and_mask=np.array([2**64 - 1], np.uint64),
        xor_mask=np.array([1], np.uint64),
    )
    return Scenario(number=0, groups=(group,))


def _flipped(value: np.ndarray, site: FaultSite, scenario: Scenario) -> np.ndarray:
    (group,) = scenario.groups
    words = to_words(value, site.element)
    faulty = apply_masks(words, group.index, group.and_mask, group.xor_mask)
    return from_words(faulty & format_of(site.element).mask, site.element, value.shape)


def _same(one: Values, other: Values) -> bool:
    return all(_equal(value, other[name]) for name, value in one.items())


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if one is None or other is None:
        return one is other
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind in "OU":
        return bool((one == other).all())
    return one.tobytes() == other.tobytes()


def _close(given: Any, wanted: Any, case: Case) -> bool:
    if isinstance(wanted, list):
        return len(given) == len(wanted) and all(
            _close(a, b, case) for a, b in zip(given, wanted, strict=True)
        )
    if wanted is None or given is None:
        return given is wanted
    given, wanted = np.asarray(given), np.asarray(wanted)
    if given.shape != wanted.shape or given.dtype != wanted.dtype:
        return False
    if given.dtype.kind in "OU":
        return bool((given == wanted).all())
    with np.errstate(all="ignore"):
        one, two = (np.asarray(value.astype(np.complex128)) for value in (given, wanted))
        return bool(np.allclose(one, two, case.rtol, case.atol, equal_nan=True))
