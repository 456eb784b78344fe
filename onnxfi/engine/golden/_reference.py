"""A session with the golden outputs of its fault-free runs, each made once and kept."""

from __future__ import annotations

import math
from collections.abc import Mapping

from onnxfi.engine.golden._context import EngineContext
from onnxfi.engine.golden._golden import Feeds, once, twice
from onnxfi.engine.runtime import Feed, Session
from onnxfi.inject import BatchWindow
from onnxfi.outcome import RunOutputs


class Reference:
    """Golden outputs of one session.

    The first window runs twice and must give the same bits both times; what makes a model
    irreproducible (random operators) shows in any window.

    Args:
        session: The session.
        workload: The samples, or values computed from them.
        extra: Inputs beside the workload's, disarmed.
        kept_bytes: Size up to which outputs are kept, those of the first window always; windows
            beyond run again whenever they are asked for. None keeps all.
    """

    def __init__(
        self,
        session: Session,
        workload: Feeds,
        extra: Mapping[str, Feed],
        kept_bytes: int | None = None,
    ) -> None:
        self._room = math.inf if kept_bytes is None else kept_bytes
        self._session = session
        self._workload = workload
        self._extra = extra
        self._outputs: dict[BatchWindow, RunOutputs] = {}
        #: Bytes held, roughly. Weights count three times: in the model, as onnxruntime reads them,
        #: and as it packs them for its kernels. Kept up to date, since caches ask in every run.
        self.nbytes = 3 * session.nbytes + sum(value.nbytes for value in extra.values())

    def golden(self, window: BatchWindow) -> RunOutputs:
        """Fault-free outputs of a window.

        Raises:
            GoldenError: The run failed, or is not reproducible.
        """
        found = self._outputs.get(window)
        if found is None:
            run = once if self._outputs else twice
            found = run(self._session, self._workload, window, self._extra)
            size = sum(value.nbytes for value in found.values())
            if not self._outputs or size <= self._room:
                self._outputs[window] = found
                self._room -= size
                self.nbytes += size
        return found


def golden_room(context: EngineContext) -> int | None:
    """Bytes that golden outputs of a session may take: monitored values may be large."""
    return context.settings.memory_limit_bytes // 2 if context.monitors else None
