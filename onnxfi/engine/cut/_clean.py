"""Clean values: the golden run of a chain, every value between its parts, made once and kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from onnxfi.engine.cut._chain import PartChain
from onnxfi.engine.cut._propagate import propagate
from onnxfi.engine.cut._start import Common, Start
from onnxfi.engine.executable import LiftedTensors
from onnxfi.engine.golden import EngineContext
from onnxfi.engine.runtime import Cache, RunFailedError, same
from onnxfi.engine.study import windows
from onnxfi.errors import GoldenError
from onnxfi.inject import BatchWindow

Values = Mapping[str, NDArray[Any]]


class CleanValues:
    """Golden values of a chain by window.

    Where a chain has parts with another session for a scenario (a stored tensor is an input of
    it), that session may give other bits in the last place: then golden values are computed with
    it, too, so that golden and faulty runs always come from the same sessions.

    Args:
        chain: The graph in parts.
        context: Workload and settings.
        fed: Inputs besides the workload's.
        lifted: Stored tensors that are inputs of their sessions in every run.
        tensors: These and all others that may be inputs.
        elsewhere: How much of the memory limit sessions and other things hold at the time.
    """

    def __init__(
        self,
        chain: PartChain,
        context: EngineContext,
        fed: Values,
        lifted: Values,
        tensors: LiftedTensors,
        elsewhere: Callable[[], int],
    ) -> None:
        self._chain = chain
        self._context = context
        self._fed = fed
        self._lifted = lifted
        self._tensors = tensors
        self._kept: Cache[CleanWindow] = Cache(context.settings.memory_limit_bytes, elsewhere)
        self._checked = False
        self._each = 0
        profile, samples = context.profile, context.workload.samples
        self.first = windows(samples, profile.batch_size, profile.fixed_batch)[0]

    @property
    def windows(self) -> tuple[CleanWindow, ...]:
        """What is held of each window."""
        return self._kept.items

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._kept.nbytes

    def of(self, window: BatchWindow, packed: Values) -> Values:
        """Every value that parts read or return, in the golden run of a window.

        They are kept up to the limit: what a window holds besides its own golden values, and other
        windows, are given up where they don't fit.

        Args:
            window: Which samples.
            packed: Stored tensors, unchanged, that are inputs of their sessions for a scenario.

        Raises:
            GoldenError: A run fails or is not reproducible.
        """
        if not self._checked and window != self.first:
            self._run(self.first)  # it shows more than a window of one sample would
        # Windows are alike in size, but for the last one.
        held = self._kept.get(window, lambda: CleanWindow(self._run(window)), expected=self._each)
        self._each = max(self._each, held.own)
        names = frozenset(packed)
        if not names:
            return held.values
        found = held.variant(names)
        if found is None:
            found = held.add(names, self._variant(held.values, packed, window))
            self._kept.shrink()
            held.shrink(self._kept.room)
        return found

    def clear(self) -> None:
        """Drop all values; they are computed again when they are asked for."""
        self._kept.clear()

    def _run(self, window: BatchWindow) -> Values:
        workload = self._context.workload
        values = {**workload.batch(window.start, window.stop, window.size), **self._fed}
        for position, part in enumerate(self._chain.parts):
            feeds = {name: values[name] for name in part.reads}
            made = self._part(position, feeds, window)
            if not self._checked:
                # Part by part, since there may be no room for two golden runs.
                _check_repeated(made, self._part(position, feeds, window), window)
            values |= made
        self._checked = True
        return values

    def _part(self, position: int, feeds: Values, window: BatchWindow) -> Values:
        try:
            return self._chain.run(position, feeds, self._lifted)
        except RunFailedError as error:
            raise GoldenError(
                f"the fault-free run fails on samples {window.start}..{window.stop - 1} of"
                f" {self._context.workload.source}: {error}"
            ) from error

    def _variant(self, values: Values, packed: Values, window: BatchWindow) -> Values:
        """Golden values where some stored tensors are inputs of their sessions."""
        common = Common(
            chain=self._chain,
            golden=values,
            window=window,
            lifted={**self._lifted, **packed},
            tensors=self._tensors,
            keep=True,
        )
        found = propagate(common, [Start(positions=self._chain.reading(packed))])
        names = {*found.tables, *found.wholes}
        return {**values, **{name: found.value(name, 0) for name in names}} if names else values


def _check_repeated(first: Values, second: Values, window: BatchWindow) -> None:
    for name, value in first.items():
        if not same(value, second[name]):
            raise GoldenError(
                f"value {name!r} differs between two fault-free runs on the same samples"
                f" ({window.start}..{window.stop - 1}); the model is not reproducible, so no"
                f" fault's effect can be told (random operators?)"
            )


class CleanWindow:
    """Golden values of a window, by which stored tensors are inputs."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.own = sum(value.nbytes for value in values.values())
        self.nbytes = self.own
        self._variants: OrderedDict[frozenset[str], Values] = OrderedDict()

    @property
    def variants(self) -> int:
        """For how many sets of inputs golden values are held, besides the usual one."""
        return len(self._variants)

    def variant(self, names: frozenset[str]) -> Values | None:
        """Golden values where some stored tensors are inputs, None if they are not kept."""
        if names in self._variants:
            self._variants.move_to_end(names)
        return self._variants.get(names)

    def add(self, names: frozenset[str], values: Values) -> Values:
        """Keep such values; they share with the others what is the same."""
        self._variants[names] = values
        self.nbytes += self._own(values)
        return values

    def shrink(self, room: int) -> None:
        """Drop variants, those used least recently first, but for the last one."""
        while self.nbytes > room and len(self._variants) > 1:
            _, dropped = self._variants.popitem(last=False)
            self.nbytes -= self._own(dropped)

    def _own(self, values: Values) -> int:
        return sum(v.nbytes for name, v in values.items() if v is not self.values[name])
