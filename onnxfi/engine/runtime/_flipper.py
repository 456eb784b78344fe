"""Flipping bytes of tensors on a device: masks go up, the tensor stays where it is.

onnxruntime has no call that changes a few bytes of a device tensor, and CUDA no bitwise kernels. A
tiny session does it whose input and output are the same memory: its scatter leaves a copy out
where source and destination coincide. onnxruntime doesn't promise that, so it is tried at the
start; where it fails, the tensor is copied to the host, changed there, and copied back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, byte_masks
from onnxfi.engine.runtime._device import DeviceMemory, DeviceTensor, Feed
from onnxfi.engine.runtime._session import RunFailedError, Session
from onnxfi.engine.runtime._settings import EngineSettings
from onnxfi.graph import byte_flipper

# CUDA's Gather and Scatter count in 32 bits.
_INDEXABLE = 2**31
_VALUES = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """What happens to some bytes: ``(byte & and_mask) ^ xor_mask``.

    Attributes:
        offset: int64 (k,), each once.
        and_mask: uint8 (k,), bits kept.
        xor_mask: uint8 (k,), bits flipped afterwards.
    """

    offset: NDArray[np.int64]
    and_mask: NDArray[np.uint8]
    xor_mask: NDArray[np.uint8]

    @classmethod
    def of_elements(
        cls,
        index: NDArray[np.int64],
        masks: tuple[NDArray[np.uint64], NDArray[np.uint64]],
        element: ElementType,
    ) -> Patch:
        """Masks (to keep, to flip) of elements as masks of their bytes."""
        offset, and_mask, xor_mask = byte_masks(index, *masks, element)
        return cls(offset=offset, and_mask=and_mask, xor_mask=xor_mask)

    def applied(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of some bytes with the masks applied."""
        changed = data.copy()
        changed[self.offset] = (data[self.offset] & self.and_mask) ^ self.xor_mask
        return changed


class Flipper:
    """Applies patches to tensors on a device.

    Args:
        session: The byte flipper; None to copy tensors to the host and back.
    """

    def __init__(self, session: Session | None) -> None:
        self.session = session

    @property
    def in_place(self) -> bool:
        """Whether tensors stay on the device."""
        return self.session is not None

    def apply(self, tensor: DeviceTensor, patch: Patch) -> None:
        """Change bytes of a tensor.

        Raises:
            BackendError: The device failed.
            RunFailedError: onnxruntime raised.
        """
        if not len(patch.offset):
            return
        if self.session is None or tensor.nbytes >= _INDEXABLE:
            tensor.write(patch.applied(tensor.read()))
            return
        flat = tensor.as_bytes()
        feeds: dict[str, Feed] = {
            "buffer": flat,
            "offset": patch.offset,
            "and": patch.and_mask.astype(np.int32) * _VALUES,
            "xor": patch.xor_mask.astype(np.int32) * _VALUES,
        }
        self.session.run_into(feeds, {"flipped": flat})


def open_flipper(settings: EngineSettings, memory: DeviceMemory) -> Flipper:
    """A flipper for a device: in place, if that works there.

    Raises:
        BackendError: The provider can't start, or the device failed.
    """
    plain = replace(settings, optimization="disabled", stream=None)
    flipper = Flipper(Session(byte_flipper(), plain))
    return flipper if works(flipper, memory) else Flipper(None)


def works(flipper: Flipper, memory: DeviceMemory) -> bool:
    """Try every mask on every byte, in a buffer with more bytes than those that change.

    Returns:
        Whether exactly the chosen bytes of the very buffer changed, to what they should be, and
        flipping bits twice restored them.
    """
    rng = np.random.default_rng(14)
    pairs = np.arange(_VALUES**2)
    mask, byte = (pairs // _VALUES).astype(np.uint8), (pairs % _VALUES).astype(np.uint8)
    data = rng.integers(0, _VALUES, 3 * len(pairs) // 2, dtype=np.uint8)
    offset = rng.permutation(len(data))[: len(pairs)]
    data[offset] = byte
    flips = Patch(offset=offset, and_mask=np.full_like(mask, 0xFF), xor_mask=mask)
    rest = Patch(offset=offset, and_mask=mask, xor_mask=rng.permutation(mask))
    tensor = memory.put(data)
    assert isinstance(tensor, DeviceTensor)
    expected = data
    try:
        for patch in (flips, flips, rest):
            flipper.apply(tensor, patch)
            expected = patch.applied(expected)
            if not np.array_equal(tensor.read(), expected):
                return False
    except RunFailedError:
        return False
    return True
