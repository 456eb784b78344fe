"""Number formats, masks and the numpy oracle of every fault model."""

from onnxfi.bits._bytes import byte_masks
from onnxfi.bits._element import ElementType
from onnxfi.bits._encode import encode
from onnxfi.bits._format import BitFormat, Words, format_of, has_format
from onnxfi.bits._masks import (
    Masks,
    compose,
    flip,
    merge,
    set_word,
    stuck_at_one,
    stuck_at_zero,
)
from onnxfi.bits._oracle import apply_masks
from onnxfi.bits._packing import (
    change_packed,
    elements_a_byte,
    in_bytes,
    out_of_bytes,
    pack,
    packed_bytes,
    packed_words,
    unpack,
)
from onnxfi.bits._words import from_words, to_words

__all__ = [
    "BitFormat",
    "ElementType",
    "Masks",
    "Words",
    "apply_masks",
    "byte_masks",
    "change_packed",
    "compose",
    "elements_a_byte",
    "encode",
    "flip",
    "format_of",
    "from_words",
    "has_format",
    "in_bytes",
    "merge",
    "out_of_bytes",
    "pack",
    "packed_bytes",
    "packed_words",
    "set_word",
    "stuck_at_one",
    "stuck_at_zero",
    "to_words",
    "unpack",
]
