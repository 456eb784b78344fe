"""Sessions: one model on one provider, fed and read as numpy arrays of every element type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from onnxfi.engine.runtime._device import DeviceTensor, Feed, StepFeed, plain
from onnxfi.engine.runtime._onnxruntime import (
    FOREIGN,
    IOBinding,
    PackedTensor,
    RunOptions,
    array_of,
    bare_type,
    described_as,
    device_failure,
    feed_of,
    from_onnxruntime,
    one_line,
    ort,
)
from onnxfi.engine.runtime._providers import (
    find_provider,
)
from onnxfi.engine.runtime._sequence import run_sequence
from onnxfi.engine.runtime._settings import EngineSettings
from onnxfi.engine.runtime._start import FATAL, ort_value, start_session
from onnxfi.engine.runtime._timeouts import Watchdog, shortened
from onnxfi.errors import BackendError
from onnxfi.graph import Model, TensorSpec
from onnxfi.outcome import RunOutputs, flatten_outputs


class RunFailedError(Exception):
    """A run gave no outputs. Internal: engines turn it into an outcome or a GoldenError."""


class RunTimedOutError(RunFailedError):
    """A run was ended because it took too long."""


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
        self._session, self.nbytes = start_session(model, settings, replay=replay)
        self._shrinks = find_provider(settings).on_cpu
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
        values = {name: ort_value(value) for name, value in feeds.items()}
        made = self._session.run_with_ort_values(tensors, values, options)
        found = {name: array_of(value) for name, value in zip(tensors, made, strict=True)}
        if others:
            found |= zip(others, self._session.run(others, feeds, options), strict=True)
        return [found[name] for name in names]

    def _run_options(self) -> RunOptions:
        options = ort.RunOptions()
        options.log_severity_level = FATAL
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
                binding.bind_ortvalue_input(name, ort_value(value))
        # Arrays are copied while they are bound; which stream does it is for onnxruntime to know.
        binding.synchronize_inputs()
        return binding


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


def _feed(values: Feed) -> Any:
    return values if isinstance(values, DeviceTensor) else feed_of(values)
