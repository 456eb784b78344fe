"""What a snippet does, by onnx's own evaluator: alike tensors out, and each row by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from onnxfi.bits import ElementType, format_of
from onnxfi.errors import ModelError, UnsupportedModelError
from onnxfi.graph.edit._opset import raise_opset
from onnxfi.graph.edit._snippet import Snippet
from onnxfi.graph.index import Model
from onnxfi.graph.proto import one_line

_ROWS, _ELEMENTS = 3, 7
_NEWER = 25


def run_snippet(snippet: Snippet, values: NDArray[Any]) -> NDArray[Any]:
    """What a snippet makes of ``[samples, elements]``.

    Raises:
        ModelError: It can't be evaluated.
    """
    given, made = snippet.model.inputs[0].name, snippet.model.outputs[0].name
    fed = values.reshape(-1) if snippet.flat else values
    try:
        found = _evaluated(snippet.model, {given: fed}, made)
    except Exception as error:  # the evaluator raises whatever it meets
        raise ModelError(
            f"{snippet.model.source} can't be evaluated on {list(fed.shape)}: {one_line(error)}"
        ) from None
    if found.shape != fed.shape or found.dtype != fed.dtype:
        raise ModelError(
            f"{snippet.model.source} makes {found.dtype} {list(found.shape)} of {fed.dtype}"
            f" {list(fed.shape)}, expected the same type and shape"
        )
    return found.reshape(values.shape)


def _evaluated(model: Model, feeds: dict[str, NDArray[Any]], made: str) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        try:
            (found,) = ReferenceEvaluator(model._proto).run([made], feeds)
        except RuntimeError:
            # It has no old forms of some operators (DequantizeLinear before 19).
            if model.opset >= _NEWER:
                raise
            newer = raise_opset(model, _NEWER)._proto
            (found,) = ReferenceEvaluator(newer).run([made], feeds)
    return np.asarray(found)


def check_rows(snippet: Snippet) -> None:
    """Try a snippet on random values.

    Raises:
        ModelError: It fails, or makes another shape or type.
        UnsupportedModelError: What it makes of a row depends on the others.
    """
    values = _trial(snippet.element)
    together = run_snippet(snippet, values)
    alone = [run_snippet(snippet, values[row : row + 1]) for row in range(_ROWS)]
    if together.tobytes() != np.concatenate(alone).tobytes():
        raise UnsupportedModelError(
            f"what {snippet.model.source} makes of a sample depends on the other samples of a run,"
            " so that results would depend on the batch size; work along the last axis only, of an"
            " input declared as float[n, k]"
        )


def _trial(element: ElementType) -> NDArray[Any]:
    rng = np.random.default_rng(0)
    form = format_of(element)
    shape = (_ROWS, _ELEMENTS)
    if "exponent" in form.fields:
        return rng.normal(size=shape).astype(form.value)
    return rng.integers(0, 2 if element is ElementType.BOOL else 100, shape).astype(form.value)
