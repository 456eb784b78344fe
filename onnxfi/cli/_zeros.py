"""How many of the stored numbers are zero, as ``inspect`` counts them: pruned models show."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxfi.cli._subject import Subject

_LEARNED = ("weight", "bias")


def zeros_by_group(subject: Subject) -> dict[tuple[str, str], int]:
    """Weights and biases whose value is zero, of either sign, by kind and operator.

    Integers count where the stored number is zero, whatever the zero point. Zeros that a sparse
    tensor leaves out are not stored, and not counted.
    """
    import numpy as np

    from onnxfi.bits import format_of
    from onnxfi.graph import initializer_words

    found: dict[tuple[str, str], int] = defaultdict(int)
    for site in subject.table.sites:
        if site.kind.value in _LEARNED:
            form = format_of(site.element)
            words = initializer_words(subject.model, site.name)
            values = words.astype(form.word, copy=False).view(form.value)
            found[site.kind.value, site.op_type] += len(values) - int(np.count_nonzero(values))
    return dict(found)
