"""Packing: words to the bytes of ONNX ``raw_data`` and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits._element import ElementType
from onnxfi.bits._format import Words, format_of
from onnxfi.errors import ConfigError, ModelError


def packed_bytes(element: ElementType, count: int) -> int:
    """Bytes that ``count`` elements take in ONNX ``raw_data``.

    Raises:
        FaultError: Elements of this type are not single words.
    """
    form = format_of(element)
    share = elements_a_byte(form.width)
    return -(-count // share) if share > 1 else count * form.word.itemsize


def pack(words: Words, element: ElementType) -> bytes:
    """Words as ONNX stores them: little endian, 2- and 4-bit elements packed low bits first.

    Args:
        words: One unsigned word per element, in the format's word dtype.
        element: The element type.

    Returns:
        The bytes of ``raw_data``; unused bits of the last byte are zero.

    Raises:
        ConfigError: The words have another dtype.
        FaultError: Elements of this type are not single words.
    """
    form = format_of(element)
    if words.dtype != form.word:
        raise ConfigError(f"{element.name} words need dtype {form.word}, got {words.dtype}")
    share = elements_a_byte(form.width)
    if share == 1:
        stored: Words = words.reshape(-1) & form.word.type(form.mask)
        return bytes(stored.astype(form.word.newbyteorder("<"), copy=False).tobytes())
    padded = np.zeros(packed_bytes(element, words.size) * share, dtype=np.uint8)
    padded[: words.size] = words.reshape(-1) & np.uint8(form.mask)
    lanes = padded.reshape(-1, share)
    packed = np.zeros(len(lanes), dtype=np.uint8)
    for lane in range(share):
        packed |= lanes[:, lane] << np.uint8(lane * form.width)
    return packed.tobytes()


def unpack(data: bytes | NDArray[np.uint8], element: ElementType, count: int) -> Words:
    """The words in ONNX ``raw_data``.

    Args:
        data: The bytes, little endian, 2- and 4-bit elements packed low bits first. Of an array
            that may be written to, the words are a view where they can be.
        element: The element type.
        count: Number of elements.

    Returns:
        A flat array of ``count`` unsigned words. A bool byte other than 0 and 1 counts as
        true, as numpy and onnxruntime read it.

    Raises:
        ModelError: The number of bytes does not fit the number of elements.
        FaultError: Elements of this type are not single words.
    """
    form = format_of(element)
    expected = packed_bytes(element, count)
    if len(data) != expected:
        raise ModelError(
            f"tensor data has {len(data)} bytes, expected {expected} for {count} {element.name}"
            f" elements"
        )
    if element is ElementType.BOOL:
        truth: Words = (np.frombuffer(data, dtype=np.uint8) != 0).astype(np.uint8)
        return truth
    share = elements_a_byte(form.width)
    if share == 1:
        words: Words = np.frombuffer(data, dtype=form.word.newbyteorder("<"))
        return words.astype(form.word, copy=not words.flags.writeable)
    packed = np.frombuffer(data, dtype=np.uint8)
    shifts = np.arange(share, dtype=np.uint8) * np.uint8(form.width)
    lanes: Words = (packed[:, None] >> shifts) & np.uint8(form.mask)
    return lanes.reshape(-1)[:count].copy()


def elements_a_byte(width: int) -> int:
    """Elements in one byte. A bool has one bit that counts, yet takes a byte of its own."""
    return 8 // width if width in (2, 4) else 1


def in_bytes(words: Words, element: ElementType, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Elements below one byte as an array of the bytes that hold them, packed along the last axis.

    Args:
        words: One word per element.
        element: The element type.
        shape: Shape in elements; its last dimension fills whole bytes.
    """
    packed = np.frombuffer(pack(words, element), np.uint8)
    last = shape[-1] // elements_a_byte(format_of(element).width)
    return packed.reshape(*shape[:-1], last).copy()


def out_of_bytes(values: NDArray[np.uint8], element: ElementType) -> Words:
    """The words in an array of bytes, as :func:`in_bytes` packs them."""
    count = values.size * elements_a_byte(format_of(element).width)
    return unpack(values.tobytes(), element, count)


def packed_words(data: NDArray[np.uint8], index: NDArray[np.int64], element: ElementType) -> Words:
    """Words of some elements in flat bytes that hold several each."""
    form = format_of(element)
    place, lane = np.divmod(index, elements_a_byte(form.width))
    words: Words = (data[place] >> (lane * form.width).astype(np.uint8)) & np.uint8(form.mask)
    return words


def change_packed(
    data: NDArray[np.uint8], index: NDArray[np.int64], words: Words, element: ElementType
) -> None:
    """Put words into elements of flat bytes that hold several each, in place."""
    form = format_of(element)
    share = elements_a_byte(form.width)
    place, lane = np.divmod(index, share)
    for each in range(share):  # within a lane every element has a byte of its own
        chosen, shift = lane == each, np.uint8(each * form.width)
        others = data[place[chosen]] & ~(np.uint8(form.mask) << shift)
        data[place[chosen]] = others | (words[chosen] << shift)
