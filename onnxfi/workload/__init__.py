"""Workloads: the inputs and labels that every scenario is run over, and what a sample is.

In: a source (an ``.npz`` file, ONNX test sets, ``random:N:SEED``, arrays), the inputs and outputs
of a model, and what the user says about samples. Out: the readings that the source allows, likely
ones first, and for one of them a :class:`Workload`: samples, constants, labels and a hash, which
feeds any batch of samples. No value is ever cast, no pickle loaded.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.workload._describe import sample_text
    from onnxfi.workload._read import SampleSource, Signature, Source, open_source, read_workload
    from onnxfi.workload._reading import (
        EACH,
        WHOLE,
        InputRole,
        Reading,
        SampleChoice,
        Ways,
        output_axes,
        reading_of,
        sample_choice,
    )
    from onnxfi.workload._stream import StateStream, parse_state, stream_of
    from onnxfi.workload._workload import Labels, Workload
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_describe": [
                "sample_text",
            ],
            "_read": [
                "SampleSource",
                "Signature",
                "Source",
                "open_source",
                "read_workload",
            ],
            "_reading": [
                "EACH",
                "WHOLE",
                "InputRole",
                "Reading",
                "SampleChoice",
                "Ways",
                "output_axes",
                "reading_of",
                "sample_choice",
            ],
            "_stream": [
                "StateStream",
                "parse_state",
                "stream_of",
            ],
            "_workload": [
                "Labels",
                "Workload",
            ],
        },
    )

__all__ = [
    "EACH",
    "WHOLE",
    "InputRole",
    "Labels",
    "Reading",
    "SampleChoice",
    "SampleSource",
    "Signature",
    "Source",
    "StateStream",
    "Ways",
    "Workload",
    "open_source",
    "output_axes",
    "parse_state",
    "read_workload",
    "reading_of",
    "sample_choice",
    "sample_text",
    "stream_of",
]
