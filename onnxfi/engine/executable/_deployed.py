"""The deployed graph: the tensors that onnxruntime materialises, and what became of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from onnxfi.engine.executable._carried import Feeds, carried_values
from onnxfi.engine.executable._names import with_stored_names
from onnxfi.engine.executable._optimize import optimized
from onnxfi.engine.executable._twins import unsaturated
from onnxfi.engine.runtime import EngineSettings, RunFailedError, Session, find_provider, same
from onnxfi.engine.study import Profile, windows
from onnxfi.errors import (
    BackendError,
    ConfigError,
    GoldenError,
    ModelError,
    OnnxFIError,
    UnsupportedModelError,
    WorkloadError,
)
from onnxfi.graph import Model, Shape, TensorSpec, declare, expose
from onnxfi.workload import Signature, Workload, open_source

_SEEDS = (0, 1)
_INSTEAD = "use --graph stored, or a lower --optimization"


def deployed(model: Model, settings: EngineSettings) -> Model:
    """A model as onnxruntime optimises it, ready to be studied in its place.

    Its tensors are those that exist at run time: fused, folded, laid out in blocks. One that
    corresponds to a tensor of the model has its name; of further forms of a tensor the second is
    ``name~2``, a stored tensor with another folded into it ``name~folded``; the others have
    onnxruntime's names. All this is the same in every process, but holds for one onnxruntime and
    one instruction set.

    Args:
        model: The model.
        settings: How it is run. Run the result with the same ones and ``graph="deployed"``.

    Returns:
        The graph; its ``sha256`` is that of the model's file.

    Raises:
        ConfigError: The provider is not the CPU, or the graph does not replay: run as it is, it
            gives other bits than the model's own session.
        BackendError: onnxruntime refuses the model.
    """
    plain = replace(settings, graph="stored", stream=None)
    if not find_provider(plain).on_cpu:
        raise ConfigError(
            f"the deployed graph is known for the CPU provider only, not for {plain.provider};"
            " use --provider cpu or --graph stored"
        )
    try:
        executable = optimized(model, plain)
    except ModelError as error:
        raise ConfigError(
            f"the graph that onnxruntime makes of {model.source} can't be studied: {error};"
            f" {_INSTEAD}"
        ) from error
    trials = trial_feeds(model, plain)
    ours, theirs = _both(model, executable, plain)
    for feeds in trials:
        _compare(model, ours, theirs, feeds)
    executable = _known(executable, trials, plain)
    named = with_stored_names(model, executable, trials, plain)
    return replace(named, sha256=model.sha256, source=f"the deployed form of {model.source}")


def check_replay(
    model: Model, graph: Model, workload: Workload, profile: Profile, settings: EngineSettings
) -> None:
    """Check that a deployed graph gives the bits of the model's own session on all samples.

    Args:
        model: The model.
        graph: What :func:`deployed` made of it.
        workload: The samples.
        profile: Of the deployed graph; says how samples share runs.
        settings: How the model is run.

    Raises:
        ConfigError: It does not.
        GoldenError: The model itself fails on a sample.
    """
    plain = replace(settings, graph="stored")
    ours, theirs = _both(model, graph, plain)
    for window in windows(workload.samples, profile.batch_size, profile.fixed_batch):
        feeds = workload.batch(window.start, window.stop, window.size)
        _compare(model, ours, theirs, feeds)


def _known(executable: Model, trials: Sequence[Feeds], settings: EngineSettings) -> Model:
    """The graph with types and shapes of what onnx knows no operator for, as a run shows them."""
    index = executable.index
    unknown = [
        name
        for node in index.nodes
        if not node.scope
        for name in node.outputs
        if name and index.kind_of(name) == "tensor"
        if index.element_of(name) is None or index.shape_of(name) is None
    ]
    if not unknown:
        return executable
    session = Session(expose(executable, unknown), settings, replay=True)
    elements = {name: spec.element for name, spec in session.specs.items()}
    shapes: dict[str, Shape] = {}
    if trials:
        # Rows come first in all that onnxruntime inserts; how many there are differs from run to
        # run. As everywhere, a shape that is not from the run itself is no more than a hint.
        found = session.run(trials[0], unknown)
        shapes = {name: (None, *value.shape[1:]) for name, value in found.items() if value.ndim}
    specs = [
        TensorSpec(name=name, element=elements.get(name), shape=shapes.get(name))
        for name in unknown
    ]
    return declare(executable, specs)


def trial_feeds(model: Model, settings: EngineSettings) -> tuple[Feeds, ...]:
    """Random samples that the model runs on, the same wherever it is loaded; none if it fails."""
    try:
        drawn = _drawn(model)
        session = Session(model, settings)
        rows = drawn[0].fixed_batch
        alone = drawn[0].stacked or not drawn[0].axes or rows == 1
        trials = tuple(workload.batch(0, 1 if alone else 2, rows) for workload in drawn)
        for feeds in trials:
            session.run(feeds)
    except (WorkloadError, UnsupportedModelError, RunFailedError):
        return ()
    return trials


def _drawn(model: Model) -> list[Workload]:
    """Random samples; what a sample is has no part in how a graph is replayed."""
    signature = Signature(inputs=model.inputs, outputs=model.outputs)
    sources = [open_source(f"random:2:{seed}", signature) for seed in _SEEDS]
    return [source.workload(source.ways().ways[0]) for source in sources]


def _both(model: Model, graph: Model, settings: EngineSettings) -> tuple[Session, Session]:
    """The model's own session, and one of its deployed graph."""
    ours = Session(model, settings)
    try:
        return ours, Session(graph, settings, replay=True)
    except BackendError as error:
        # It repeats names in control-flow bodies and then refuses its own graph, for one.
        raise ConfigError(
            f"onnxruntime can't load the graph that it has made of {model.source}: {error};"
            f" {_INSTEAD}"
        ) from error


def _compare(model: Model, ours: Session, theirs: Session, feeds: Feeds) -> None:
    try:
        expected = ours.run(feeds)
    except RunFailedError as error:
        raise GoldenError(f"the fault-free run of {model.source} fails: {error}") from error
    try:
        replayed = theirs.run(feeds)
    except RunFailedError as error:
        raise ConfigError(
            f"the optimised graph of {model.source} does not run by itself: {error}; {_INSTEAD}"
        ) from error
    for name, value in expected.items():
        if not same(value, replayed[name]):
            raise ConfigError(
                f"the optimised graph of {model.source}, run by itself, gives other bits in output"
                f" {name!r} than the model; {_INSTEAD}"
            )


_FOLDED = "folded into other constants, or fused away"
_CONSTANT = "computed once, when the session starts"
_DROPPED = "not computed any more: nothing that is left reads it"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedTensor:
    """A tensor of the file that does not exist where the model is deployed.

    Attributes:
        name: Its name in the file.
        stored: Whether it is stored; else computed.
        reason: What became of it.
    """

    name: str
    stored: bool
    reason: str


def removed_values(
    model: Model, names: Sequence[str], settings: EngineSettings
) -> tuple[RemovedTensor, ...]:
    """Computed values that onnxruntime would not materialise if nobody asked for them.

    Args:
        model: The model.
        names: Values of it, as far as they are of interest.
        settings: How it is run.

    Returns:
        Those that are gone, in the order of ``names``; none where the deployed graph is not known
        (providers other than the CPU, models that onnxruntime can't write in optimised form).
    """
    plain = replace(settings, graph="stored", stream=None)
    computed = [name for name in names if model.index.producer(name) is not None]
    if not computed or plain.optimization == "disabled" or not find_provider(plain).on_cpu:
        return ()
    try:
        executable = optimized(model, plain)
    except OnnxFIError:
        return ()
    own = {name for node in model.index.nodes for name in node.outputs}
    made = [name for node in executable.index.nodes if not node.scope for name in node.outputs]
    new = [name for name in made if name and name not in own]
    twins = unsaturated(model, executable, plain) if new else (model, executable)
    carried = carried_values(*twins, new, trial_feeds(model, plain), plain)
    left = {name: executable.index.producer(name) for name in made}
    left |= {stored: executable.index.producer(name) for name, stored in carried.items()}
    operators = {name: node.op_type for name, node in left.items() if node is not None}
    constant = executable.index.initializers
    return tuple(
        RemovedTensor(name=name, stored=False, reason=_became(model, name, operators, constant))
        for name in computed
        if name not in operators
    )


def removed_tensors(model: Model, deployed: Model) -> tuple[RemovedTensor, ...]:
    """All tensors of a model that the deployed graph has under no name.

    Args:
        model: The model.
        deployed: Its deployed graph, with stored names.
    """
    index = deployed.index
    operators = {_base(name): node.op_type for node in index.nodes for name in node.outputs if name}
    kept = {_base(name) for name in index.initializers}
    return tuple(_gone(model, operators, kept))


def _gone(model: Model, operators: Mapping[str, str], kept: set[str]) -> Iterator[RemovedTensor]:
    index = model.index
    for name in index.initializers:
        if name not in kept and name not in operators:
            yield RemovedTensor(name=name, stored=True, reason=_FOLDED)
    for node in index.nodes:
        for name in node.outputs if not node.scope else ():
            if name and name not in operators:
                reason = _became(model, name, operators, kept)
                yield RemovedTensor(name=name, stored=False, reason=reason)


def _base(name: str) -> str:
    """The stored name in that of a further form: ``name~2``, ``name~folded``."""
    return name.partition("~")[0]


def _became(
    model: Model, name: str, operators: Mapping[str, str], constant: Mapping[str, object] | set[str]
) -> str:
    """What a value that is gone is a part of: the operators that make what follows from it."""
    if name in constant:
        return _CONSTANT
    found: dict[str, None] = {}
    seen, ahead = {name}, [name]
    while ahead:
        for use in model.index.consumers(ahead.pop()):
            for made in use.node.outputs:
                if made in operators:
                    found[f"{operators[made]} that makes {made!r}"] = None
                elif made and made not in seen:
                    seen.add(made)
                    ahead.append(made)
    if not found:
        return _DROPPED
    first, *more = found
    return f"fused into the {first}" + (f" and {len(more)} more" if more else "")
