"""Sites: the named tensors whose stored bits can be corrupted, and the tensors that are none.

What other floors say of tensors, they say in these records. In: facts on nodes of a graph. Out: the
records :class:`FaultSite`, :class:`SampleLayout` and :class:`LeftOut`, and the :class:`Role` that
an operator gives to each of its inputs.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.faults.sites._left_out import (
        LeftOut,
        LeftOutGroup,
        Reason,
        grouped,
        no_format,
        no_port,
        not_a_tensor,
    )
    from onnxfi.faults.sites._roles import Role, role_of, transparent
    from onnxfi.faults.sites._site import (
        FaultSite,
        NeuronPart,
        SampleLayout,
        SiteKind,
        StoredWords,
        in_tensor,
    )
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_left_out": [
                "LeftOut",
                "LeftOutGroup",
                "Reason",
                "grouped",
                "no_format",
                "no_port",
                "not_a_tensor",
            ],
            "_roles": ["Role", "role_of", "transparent"],
            "_site": [
                "FaultSite",
                "NeuronPart",
                "SampleLayout",
                "SiteKind",
                "StoredWords",
                "in_tensor",
            ],
        },
    )

__all__ = [
    "FaultSite",
    "LeftOut",
    "LeftOutGroup",
    "NeuronPart",
    "Reason",
    "Role",
    "SampleLayout",
    "SiteKind",
    "StoredWords",
    "grouped",
    "in_tensor",
    "no_format",
    "no_port",
    "not_a_tensor",
    "role_of",
    "transparent",
]
