"""Twins: a model with other numbers in its stored tensors, optimised like the model itself."""

from __future__ import annotations

from collections.abc import Mapping

from onnxfi.bits import ElementType, Words, has_format
from onnxfi.engine.executable._optimize import optimized
from onnxfi.engine.runtime import EngineSettings
from onnxfi.errors import BackendError, ModelError
from onnxfi.graph import Model, align, initializer_words, replace_initializers


def traceable(executable: Model) -> dict[str, ElementType]:
    """Element types of the initializers that have words; strings and the like have none."""
    return {
        entry.name: entry.element
        for entry in executable.index.initializers.values()
        if entry.element is not None and has_format(entry.element)
    }


def twin_words(
    model: Model, executable: Model, values: Mapping[str, Words], settings: EngineSettings
) -> dict[str, Words] | None:
    """What the optimised form of a model stores if the model stores something else.

    Args:
        model: The model.
        executable: Its optimised form.
        values: Words that some of its stored tensors have in the twin, by name.
        settings: How it was optimised.

    Returns:
        Words by name in ``executable``, of all initializers that nodes read; None if onnxruntime
        makes another graph of the twin.
    """
    try:
        twin = optimized(replace_initializers(model, values), settings)
    except (BackendError, ModelError):
        return None
    names = align(executable, twin)
    if names is None:
        return None
    elements = traceable(executable)
    return {
        mine: initializer_words(twin, theirs) for mine, theirs in names.items() if mine in elements
    }
