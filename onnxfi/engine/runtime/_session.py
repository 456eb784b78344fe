"""Sessions: one model on one provider, fed and read as numpy arrays of every element type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from onnxfi.engine.runtime._described import bare_type, described_as
from onnxfi.engine.runtime._device import DeviceTensor, Feed, StepFeed, plain
from onnxfi.engine.runtime._failures import device_failure, from_onnxruntime, one_line
from onnxfi.engine.runtime._foreign import FOREIGN, PackedTensor, array_of, feed_of
from onnxfi.engine.runtime._libraries import register_libraries
from onnxfi.engine.runtime._patience import shortened
from onnxfi.engine.runtime._providers import (
    Provider,
    check_providers,
    find_provider,
    load_libraries,
)
from onnxfi.engine.runtime._runtime import (
    InferenceSession,
    IOBinding,
    OrtValue,
    RunOptions,
    SessionOptions,
    ort,
)
from onnxfi.engine.runtime._sequence import run_sequence
from onnxfi.engine.runtime._settings import EngineSettings
from onnxfi.engine.runtime._watchdog import Watchdog
from onnxfi.errors import BackendError
from onnxfi.graph import Model, Serialized, TensorSpec, serialize
from onnxfi.outcome import RunOutputs, flatten_outputs

_LEVELS = MappingProxyType(
    {
        "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
        "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    }
)

_FATAL = 4
_NO_PACKING = "session.disable_prepacking"
# It grows by what is asked for, not by doubling, and hands out no more of a free block than that:
# what runs return lies in it, too, and is kept for long.
_ARENA = MappingProxyType({"arena_extend_strategy": 1, "max_dead_bytes_per_chunk": 1 << 16})
# This one makes equal scalars one initializer, so that a fault in one would be a fault in all.
_SHARING = ("ConstantSharing",)


class RunFailedError(Exception):
    """A run gave no outputs. Internal: engines turn it into an outcome or a GoldenError."""


class RunTimedOutError(RunFailedError):
    """A run was ended because it took too long."""


class ModelRefusedError(BackendError):
    """onnxruntime can't load a model, for what is in it. Internal: to tell it from failures."""


class Session:
    """A model ready to run, with one thread, on exactly the provider asked for.

    Args:
        model: The model.
        settings: Provider, optimisation level, timeout.
        watchdog: Ends runs that exceed ``settings.timeout_s``; None for no limit.
        replay: The model is one that onnxruntime has optimised before: it runs as it is. Settings
            whose graph is ``deployed`` say so of all models.

    Raises:
        BackendError: onnxruntime refuses the model, or the provider can't start.
    """

    def __init__(
        self,
        model: Model,
        settings: EngineSettings,
        watchdog: Watchdog | None = None,
        *,
        replay: bool = False,
    ) -> None:
        provider = find_provider(settings)
        written = serialize(model)
        options = _options(settings, written)
        if replay or settings.graph == "deployed":
            # Weight packing is no rewrite of the graph: it stays as the settings have it.
            options.graph_optimization_level = _LEVELS["disabled"]
        if _misread_if_packed(model):
            options.add_session_config_entry(_NO_PACKING, "1")
        self.nbytes = len(written.data) + written.outside
        self._session = _start(model, written.data, options, provider)
        self._shrinks = provider.on_cpu
        self._timeout_s = settings.timeout_s
        self._stream = settings.stream
        self._watchdog = watchdog
        self._inputs = frozenset(given.name for given in self._session.get_inputs())
        described = self._session.get_outputs()
        self.outputs: tuple[str, ...] = tuple(output.name for output in described)
        self.types: dict[str, str] = {output.name: output.type for output in described}
        self._foreign = {name for name, text in self.types.items() if bare_type(text) in FOREIGN}

    @property
    def specs(self) -> dict[str, TensorSpec]:
        """The outputs as onnxruntime describes them, by name."""
        return {each.name: described_as(each) for each in self._session.get_outputs()}

    def run(
        self,
        feeds: Mapping[str, StepFeed],
        names: Sequence[str] = (),
        *,
        hurried: bool = False,
    ) -> RunOutputs:
        """Run once, or (settings with a stream) over a whole sequence.

        Args:
            feeds: All inputs by name, as arrays or on the device.
            names: Outputs wanted; none for all.
            hurried: With the shortened limit of a scenario that has hung before.

        Returns:
            Outputs by name; bfloat16, float8 and packed types in their ml_dtypes dtype. Those of
            a sequence have its steps on axis 0, but for states: they are the last ones.

        Raises:
            RunFailedError: onnxruntime raised, or (RunTimedOutError) the run took too long.
            BackendError: The device itself failed.
            UnsupportedModelError: An output has no array form.
        """
        wanted = list(names or self.outputs)
        options = self._run_options()

        def run(feeds: Mapping[str, Feed], names: Sequence[str]) -> RunOutputs:
            given = {name: _feed(values) for name, values in feeds.items()}
            return flatten_outputs(names, self._raw(list(names), given, options))

        with self._limited(options, hurried):
            if self._stream is not None:
                return run_sequence(run, self._stream, feeds, wanted)
            return run(plain(feeds), wanted)

    @contextmanager
    def _limited(self, options: RunOptions, hurried: bool) -> Iterator[None]:
        """End what runs inside the ``with`` block when it takes too long."""
        if self._watchdog is None or self._timeout_s is None:
            yield
            return
        limit = shortened(self._timeout_s) if hurried else self._timeout_s
        with self._watchdog.guard(options, limit) as guard:
            try:
                yield
            except RunFailedError as error:
                if guard.fired:
                    raise RunTimedOutError(f"no result after {limit:g} s") from error
                raise

    def run_into(self, feeds: Mapping[str, Feed], outputs: Mapping[str, DeviceTensor]) -> None:
        """Run once, writing outputs to memory of the device, that of an input included.

        Args:
            feeds: All inputs by name, as arrays or on the device.
            outputs: Where to, for all outputs that are wanted.

        Raises:
            RunFailedError: onnxruntime raised.
            BackendError: The device itself failed.
        """
        with _own_failures():
            binding = self._bound({name: _feed(values) for name, values in feeds.items()})
            for name, tensor in outputs.items():
                tensor.bind_output(binding, name)
            self._session.run_with_iobinding(binding, self._run_options())

    def _raw(
        self, names: list[str], feeds: dict[str, Any], options: RunOptions
    ) -> Sequence[object]:
        foreign = not self._foreign.isdisjoint(names)
        bound = any(isinstance(value, (DeviceTensor, PackedTensor)) for value in feeds.values())
        with _own_failures():
            if bound:
                # A new binding each time: outputs of the last run would be written to again.
                binding = self._bound(feeds)
                for name in names:
                    binding.bind_output(name, "cpu")
                self._session.run_with_iobinding(binding, options)
                if not foreign:
                    return list(binding.copy_outputs_to_cpu())
                found = binding.get_outputs()
            elif not foreign:
                return list(self._session.run(names, feeds, options))
            else:
                return self._with_foreign(names, feeds, options)
        return [array_of(value) for value in found]

    def _with_foreign(
        self, names: list[str], feeds: dict[str, Any], options: RunOptions
    ) -> Sequence[object]:
        """Outputs some of which numpy has no type for.

        onnxruntime's own values give no access to what is in sequences and maps: these take a run
        of their own.
        """
        others = [name for name in names if not self.types[name].startswith("tensor(")]
        tensors = [name for name in names if name not in others]
        if any(isinstance(value, np.ndarray) and value.dtype.hasobject for value in feeds.values()):
            raise BackendError("onnxruntime returns no float8 or packed values beside text inputs")
        values = {name: _ort_value(value) for name, value in feeds.items()}
        made = self._session.run_with_ort_values(tensors, values, options)
        found = {name: array_of(value) for name, value in zip(tensors, made, strict=True)}
        if others:
            found |= zip(others, self._session.run(others, feeds, options), strict=True)
        return [found[name] for name in names]

    def _run_options(self) -> RunOptions:
        options = ort.RunOptions()
        options.log_severity_level = _FATAL
        if self._shrinks:
            # Gives back what runs of other sessions have left. Only once, since what goes back
            # has to be asked for again.
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
            self._shrinks = False
        return options

    def _bound(self, feeds: Mapping[str, Any]) -> IOBinding:
        if self._inputs != feeds.keys():
            differ = ", ".join(sorted(self._inputs.symmetric_difference(feeds)))
            raise ValueError(f"inputs missing or unknown: {differ}")
        binding = self._session.io_binding()
        for name, value in feeds.items():
            if isinstance(value, (DeviceTensor, PackedTensor)):
                value.bind_input(binding, name)
            else:
                binding.bind_ortvalue_input(name, _ort_value(value))
        # Arrays are copied while they are bound; which stream does it is for onnxruntime to know.
        binding.synchronize_inputs()
        return binding


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
    options.log_severity_level = _FATAL
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
        values = [_ort_value(feed_of(each)) for each in written.held.values()]
        options.add_external_initializers(list(written.held), values)
    return options


@contextmanager
def _own_failures() -> Iterator[None]:
    """Tell failures of a run from failures of the device."""
    try:
        yield
    except Exception as error:
        if not from_onnxruntime(error):
            raise
        failure = device_failure(error)
        if failure is None:
            raise RunFailedError(one_line(error)) from error
        # It stays in that state: counted as an outcome, one failure would make all later
        # samples due, whatever was the matter with the first.
        raise BackendError(
            f"the device failed in a run: {failure}; runs in this process can't be trusted any"
            f" more and nothing was counted; check the device with nvidia-smi, then go on"
        ) from error


def _start(
    model: Model,
    data: bytes,
    options: SessionOptions,
    provider: Provider,
    disabled: Sequence[str] = (),
) -> InferenceSession:
    if not provider.on_cpu:
        # A provider that can't load reports that on the process-wide logger; we say it ourselves.
        ort.set_default_logger_severity(_FATAL)
        load_libraries(provider.name)
    if provider.on_cpu:
        _share_arena()
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
    session._model_bytes = None
    return session


def _hint(error: Exception) -> str:
    """What to do about a refused model, where that is known."""
    if "is not a registered function/op" in str(error):
        return "; if a library has this operator, name it with --custom-ops (custom_ops=[...])"
    return ""


@cache
def _share_arena() -> None:
    """Give this process an arena for all its CPU sessions that ask for it (once).

    A session's own arena keeps what its largest run took for as long as the session lives. With a
    session for each part of a graph that comes to several times what is in use.
    """
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(dict(_ARENA)))


def _feed(values: Feed) -> Any:
    return values if isinstance(values, DeviceTensor) else feed_of(values)


def _ort_value(value: Any) -> OrtValue:
    if isinstance(value, ort.OrtValue):
        return value
    return ort.OrtValue.ortvalue_from_numpy(np.asarray(value, order="C"))
