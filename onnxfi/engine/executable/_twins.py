"""Twins: a model with other numbers in its stored tensors, optimised like the model itself.

One of them is the twin of a quantized model in which no sum of products saturates, on whatever CPU.
Without VNNI, AVX2 and AVX-512 multiply unsigned by signed bytes in pairs and keep the sum of two
products in 16 bits, cut off where it does not fit. Which products make a pair, depends on the
layout. So the optimised graph of a quantized model, the graph with fusion disabled and exact
arithmetic may all differ, on these CPUs, in most of their codes, and no value of one can be
recognised in the other. Weights between -64 and 64 can't get there: 2 * 255 * 64 < 2**15.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxfi.bits import ElementType, Words, from_words, has_format, to_words
from onnxfi.engine.executable._optimize import optimized
from onnxfi.engine.runtime import EngineSettings
from onnxfi.errors import BackendError, ModelError
from onnxfi.faults import FaultSite, SiteKind, enumerate_sites
from onnxfi.graph import Form, Model, align, initializer_words, operands, replace_initializers


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
        twin = optimized(replace_initializers(model, values), settings, typed=False)
    except (BackendError, ModelError):
        return None
    names = align(executable, twin)
    if names is None:
        return None
    elements = traceable(executable)
    return {
        mine: initializer_words(twin, theirs) for mine, theirs in names.items() if mine in elements
    }


_LARGEST = 64


def unsaturated(model: Model, executable: Model, settings: EngineSettings) -> tuple[Model, Model]:
    """A model and its optimised form with weights so small that 8-bit products can't saturate.

    What a value of the graph is does not depend on the weights; what it is there can be told from
    runs on any CPU, and the answer is the same on each.

    Args:
        model: The model.
        executable: Its optimised form.
        settings: How it was optimised.

    Returns:
        The twin and its optimised form, with the names of the two given. These two themselves
        where nothing can saturate, and where onnxruntime makes another graph of the twin.
    """
    values = _small_weights(model)
    words = twin_words(model, executable, values, settings) if values else None
    if words is None:
        return model, executable
    return replace_initializers(model, values), replace_initializers(executable, words)


def _small_weights(model: Model) -> dict[str, Words]:
    """Smaller values for all weights that are, or become, signed bytes."""
    table = enumerate_sites(model.index, model.inputs, model.outputs)
    found = {}
    for site in table.sites:
        if site.kind is not SiteKind.WEIGHT or site.form is not Form.TENSOR:
            continue
        if site.element is ElementType.INT8:
            codes = initializer_words(model, site.name).view(np.int8)
            found[site.name] = codes.clip(-_LARGEST, _LARGEST).view(np.uint8)
        elif _quantized_later(model, site):
            # Half of a code is 64 at most, whatever its scale is.
            words = initializer_words(model, site.name)
            values = from_words(words, site.element, words.shape)
            found[site.name] = to_words(values / values.dtype.type(2), site.element)
    return found


def _quantized_later(model: Model, site: FaultSite) -> bool:
    """Whether a stored tensor of floats is the data of a QuantizeLinear."""
    uses = operands(model, site.name) or ()
    return any(use.node.op_type == "QuantizeLinear" and use.slot == 0 for use in uses)
