"""Starting onnxruntime's sessions: their options, the arena they share, and why one is refused."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from onnxfi.engine.runtime._onnxruntime import (
    InferenceSession,
    OrtValue,
    SessionOptions,
    device_failure,
    feed_of,
    from_onnxruntime,
    one_line,
    ort,
    register_libraries,
)
from onnxfi.engine.runtime._providers import (
    Provider,
    check_providers,
    find_provider,
    load_libraries,
)
from onnxfi.engine.runtime._settings import EngineSettings
from onnxfi.errors import BackendError
from onnxfi.graph import Model, Serialized, serialize

_LEVELS = MappingProxyType(
    {
        "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
        "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    }
)

FATAL = 4

_NO_PACKING = "session.disable_prepacking"

# It grows by what is asked for, not by doubling, and hands out no more of a free block than that:
# what runs return lies in it, too, and is kept for long.
_ARENA = MappingProxyType({"arena_extend_strategy": 1, "max_dead_bytes_per_chunk": 1 << 16})

# This one makes equal scalars one initializer, so that a fault in one would be a fault in all.
_SHARING = ("ConstantSharing",)


class ModelRefusedError(BackendError):
    """onnxruntime can't load a model, for what is in it. Internal: to tell it from failures."""


def start_session(
    model: Model, settings: EngineSettings, *, replay: bool = False
) -> tuple[InferenceSession, int]:
    """Start a session of a model.

    Args:
        model: The model.
        settings: Provider, optimisation level.
        replay: As for :class:`Session`.

    Returns:
        The session, and the bytes of the model that it holds.

    Raises:
        BackendError: onnxruntime refuses the model, or the provider can't start.
    """
    provider = find_provider(settings)
    written = serialize(model)
    options = _options(settings, written)
    if replay or settings.graph == "deployed":
        # Weight packing is no rewrite of the graph: it stays as the settings have it.
        options.graph_optimization_level = _LEVELS["disabled"]
    if _misread_if_packed(model):
        options.add_session_config_entry(_NO_PACKING, "1")
    started = _start(model, written.data, options, provider)
    return started, len(written.data) + written.outside


def save_optimized(model: Model, settings: EngineSettings, path: Path) -> None:
    """Write the graph that a session makes of a model, fused, folded and laid out anew.

    It is specific to this machine's instruction set and this onnxruntime.

    Args:
        model: The model.
        settings: How it would be run.
        path: A new file.

    Raises:
        BackendError: onnxruntime refuses the model, or can't write its optimised form.
    """
    provider = find_provider(settings)
    written = serialize(model)
    options = _options(settings, written)
    options.optimized_model_filepath = str(path)
    _start(model, written.data, options, provider, disabled=_SHARING)


def _misread_if_packed(model: Model) -> bool:
    """Whether a kernel would pack weights whose scales it is not given before a run.

    MatMulNBits packs both together (with ``accuracy_level`` 4, which fusion gives it, too): with
    weights that are stored and scales that are not, it computes zeros, without an error.
    """
    index = model.index
    return any(
        node.inputs[1] in index.initializers
        and any(name and name not in index.initializers for name in node.inputs[2:4])
        for node in index.nodes
        if node.op_type == "MatMulNBits" and node.domain == "com.microsoft"
    )


def _options(settings: EngineSettings, written: Serialized) -> SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = _LEVELS[settings.optimization]
    options.log_severity_level = FATAL
    options.use_deterministic_compute = True
    if settings.optimization == "disabled":
        # "Disabled" means that nothing is rearranged: packed constants go through other kernels
        # than lifted ones, which moves the last bits of matrix products.
        options.add_session_config_entry(_NO_PACKING, "1")
    register_libraries(options, settings.custom_ops)
    if written.folder is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", str(written.folder)
        )
    if written.held:
        values = [ort_value(feed_of(each)) for each in written.held.values()]
        options.add_external_initializers(list(written.held), values)
    return options


def _start(
    model: Model,
    data: bytes,
    options: SessionOptions,
    provider: Provider,
    disabled: Sequence[str] = (),
) -> InferenceSession:
    if not provider.on_cpu:
        # A provider that can't load reports that on the process-wide logger; we say it ourselves.
        ort.set_default_logger_severity(FATAL)
        load_libraries(provider.name)
    if provider.on_cpu:
        share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        session = ort.InferenceSession(
            data,
            options,
            providers=provider.requested(),
            enable_fallback=0,
            disabled_optimizers=list(disabled),
        )
    except Exception as error:
        if from_onnxruntime(error):
            failure = device_failure(error)
            if failure is None and not isinstance(error, MemoryError):
                raise ModelRefusedError(
                    f"onnxruntime {ort.__version__} can't load {model.source}: {one_line(error)}"
                    f"{_hint(error)}"
                ) from error
            if failure is None:
                raise BackendError(
                    f"there is not enough memory to load {model.source}: {one_line(error)}"
                ) from error
            raise BackendError(
                f"provider {provider.short!r} can't start here: {failure}; check the device"
                " with nvidia-smi"
            ) from error
        raise
    check_providers(session, provider)
    # The Python wrapper keeps the file's bytes for a fallback that is switched off.
    session._model_bytes = None  # noqa: SLF001  # nothing public lets go of them
    return session


def _hint(error: Exception) -> str:
    """What to do about a refused model, where that is known."""
    if "is not a registered function/op" in str(error):
        return "; if a library has this operator, name it with --custom-ops (custom_ops=[...])"
    return ""


@cache
def share_arena() -> None:
    """Give this process an arena for all its CPU sessions that ask for it (once).

    A session's own arena keeps what its largest run took for as long as the session lives. With a
    session for each part of a graph that comes to several times what is in use.
    """
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(dict(_ARENA)))


def ort_value(value: Any) -> OrtValue:
    """An array, or what onnxruntime makes of one, as a value that can be bound or handed on."""
    if isinstance(value, ort.OrtValue):
        return value
    return ort.OrtValue.ortvalue_from_numpy(np.asarray(value, order="C"))
