"""Units run at once, in the calling process."""

from __future__ import annotations

from concurrent.futures import Executor, Future


def inline(_workers: int) -> Executor:
    """An executor that runs each call when it is submitted; there is one worker."""
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
