"""Units run at once, in the calling process."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineExecutor:
    """Runs each call when it is submitted, in the calling process; there is one worker."""

    name: ClassVar[str] = "inline"
    help: ClassVar[str] = "in the calling process, one after the other"
    isolated: ClassVar[bool] = False

    def __call__(self, workers: int) -> Executor:  # noqa: ARG002
        """Return the executor; there is one worker, whatever the number."""
        return _Inline()


class _Inline(Executor):
    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        """Run the call and return its finished future."""
        future: Future[object] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
