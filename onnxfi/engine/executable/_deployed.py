"""The deployed graph: the tensors that onnxruntime really materialises, under stored names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnxfi.engine.executable._carried import Feeds
from onnxfi.engine.executable._names import with_stored_names
from onnxfi.engine.executable._optimize import optimized
from onnxfi.engine.runtime import (
    EngineSettings,
    RunFailedError,
    Session,
    find_provider,
    same,
    windows,
)
from onnxfi.engine.study import Profile
from onnxfi.errors import (
    BackendError,
    ConfigError,
    GoldenError,
    ModelError,
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
