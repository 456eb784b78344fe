"""The executable graph: onnxruntime's own optimised form of a model, kept to be edited and run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from onnxfi.engine.runtime import (
    EngineSettings,
    RunFailedError,
    Session,
    complete_types,
    find_provider,
    same,
    save_optimized,
)
from onnxfi.engine.study import Profile, windows
from onnxfi.errors import BackendError, GoldenError
from onnxfi.graph import (
    Model,
    densify,
    in_canonical_order,
    inlined,
    load,
    loadable,
    unread_inputs,
)
from onnxfi.workload import Workload

_SAMPLES = 8  # on which the two are compared


def optimized(model: Model, settings: EngineSettings, *, typed: bool = True) -> Model:
    """A model as onnxruntime optimises it at the level of the settings.

    It runs as it is in a session with ``replay``. The file lives only as long as this call:
    it holds for one machine and one onnxruntime, and making it costs no more than a session. Nodes
    and initializers are in canonical order, which is the same in every process. A deployed graph
    has been optimised already and is returned as it is.

    Args:
        model: The model.
        settings: How it is run.
        typed: Whether types of inner values are wanted, which takes a session of its own.

    Raises:
        BackendError: The provider is not the CPU, or onnxruntime can't write its graph, or writes
            one that can't be read.
        UnsupportedModelError: The model has 2 GiB or more, which no single file holds.
    """
    if settings.graph == "deployed":
        return model
    if not find_provider(settings).on_cpu:
        raise BackendError("only graphs optimised for the CPU provider can be replayed")
    # Sparse tensors stay so in the file, though onnxruntime makes dense ones of them in memory.
    executable = in_canonical_order(densify(loadable(load(_written(model, settings)))))
    if typed:
        executable = complete_types(executable, settings)
    return replace(executable, source=f"the optimised form of {model.source}")


def overlooked_inputs(model: Model, settings: EngineSettings) -> frozenset[str]:
    """Inputs that the model reads, and its optimised form does not.

    Raises:
        BackendError, UnsupportedModelError: As :func:`optimized`.
    """
    index = model.index
    read = {s.name for s in model.inputs if index.consumers(s.name) or index.returned(s.name)}
    return unread_inputs(_written(model, settings)) & read


def _written(model: Model, settings: EngineSettings) -> bytes:
    """The file that onnxruntime writes."""
    with tempfile.TemporaryDirectory(prefix="onnxfi-") as folder:
        path = Path(folder) / "optimized.onnx"
        # Of external data onnxruntime would write where it lies, seen from another folder.
        save_optimized(inlined(model), settings, path)
        return path.read_bytes()


def replay_differs(
    model: Model,
    executable: Model,
    workload: Workload,
    profile: Profile,
    settings: EngineSettings,
    fed: Mapping[str, NDArray[Any]] | None = None,
) -> str | None:
    """Why the executable graph is not what the model's own session runs, None if it is.

    Both run the first samples of the workload and must give the same bits.

    Args:
        model: The model.
        executable: What :func:`optimized` made of it.
        workload: Its samples.
        profile: Batch size.
        settings: How the model is run.
        fed: Inputs besides the workload's.

    Raises:
        BackendError: onnxruntime refuses the executable graph.
        GoldenError: The model itself fails.
    """
    size = min(_SAMPLES, profile.batch_size)
    window = windows(workload.samples, size, profile.fixed_batch)[0]
    feeds = {**workload.batch(window.start, window.stop, window.size), **(fed or {})}
    try:
        plain = Session(model, settings).run(feeds)
    except RunFailedError as error:
        raise GoldenError(f"the fault-free run fails on {workload.source}: {error}") from error
    try:
        replayed = Session(executable, settings, replay=True).run(feeds)
    except RunFailedError as error:
        return f"its optimised graph does not run: {error}"
    for name, value in plain.items():
        if not same(value, replayed[name]):
            return f"its optimised graph gives other bits in output {name!r} than its own session"
    return None
