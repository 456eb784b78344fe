"""The byte flipper: bit-exact for every stored type, in place, and what if it is not."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.bits import ElementType, apply_masks, format_of, has_format, pack, packed_bytes
from onnxfi.engine import EngineSettings, RunFailedError
from onnxfi.engine.runtime import DeviceMemory, Flipper, Patch, open_flipper, works

MEMORY = DeviceMemory(kind="cpu")
FORMATS = [element for element in ElementType if has_format(element)]
COUNT = 1_001
ALL = np.uint64(2**64 - 1)


@pytest.fixture(scope="module")
def flipper() -> Flipper:
    return open_flipper(EngineSettings(), MEMORY)


def _words(element: ElementType, rng: np.random.Generator) -> np.ndarray:
    form = format_of(element)
    raw = rng.integers(0, 2**64, COUNT, dtype=np.uint64) & np.uint64(form.mask)
    return raw.astype(form.word)


def _masks(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    keep, flip = (rng.integers(0, 2**64, count, dtype=np.uint64) for _ in range(2))
    return keep, flip


@pytest.mark.parametrize("element", FORMATS, ids=lambda element: element.name)
@pytest.mark.parametrize("in_place", [True, False])
def test_it_equals_the_oracle_for_every_stored_type(flipper, element, in_place):
    rng = np.random.default_rng(FORMATS.index(element))
    words = _words(element, rng)
    memory = np.frombuffer(pack(words, element), np.uint8)
    assert len(memory) == packed_bytes(element, COUNT)
    index = rng.integers(0, COUNT, 200)
    masks = _masks(200, rng)
    expected = apply_masks(words, index, *masks) & format_of(element).word.type(
        format_of(element).mask
    )
    tensor = MEMORY.put(memory)
    used = flipper if in_place else Flipper(None)
    assert used.in_place == in_place
    address = tensor.value.data_ptr()
    used.apply(tensor, Patch.of_elements(index, masks, element))
    assert tensor.read().tobytes() == pack(expected, element)
    # What it was is put back by masks that set.
    touched = np.unique(index)
    clean = words[touched].astype(np.uint64)
    used.apply(tensor, Patch.of_elements(touched, (np.zeros_like(clean), clean), element))
    assert tensor.read().tobytes() == memory.tobytes()
    assert tensor.value.data_ptr() == address


def test_a_flip_twice_is_none(flipper):
    rng = np.random.default_rng(3)
    memory = rng.integers(0, 256, 100_000, dtype=np.uint8)
    tensor = MEMORY.put(memory)
    index = rng.permutation(25_000)[:1_000]
    flips = Patch.of_elements(
        index, (np.full(1_000, ALL), _masks(1_000, rng)[1]), ElementType.FLOAT
    )
    flipper.apply(tensor, flips)
    assert np.flatnonzero(tensor.read() != memory).tolist() == flips.offset.tolist()
    flipper.apply(tensor, flips)
    np.testing.assert_array_equal(tensor.read(), memory)


def test_no_faults_are_no_run(flipper, monkeypatch):
    monkeypatch.setattr(flipper.session, "run_into", None)
    none = np.empty(0, np.uint64)
    patch = Patch.of_elements(np.empty(0, np.int64), (none, none), ElementType.FLOAT)
    flipper.apply(MEMORY.put(np.zeros(4, np.uint8)), patch)


def test_what_the_device_cannot_index_is_copied(flipper, monkeypatch):
    monkeypatch.setattr("onnxfi.engine.runtime._flipper._INDEXABLE", 100)
    monkeypatch.setattr(flipper.session, "run_into", None)
    tensor = MEMORY.put(np.zeros(100, np.uint8))
    flipper.apply(tensor, Patch.of_elements(np.array([99]), _one(1), ElementType.UINT8))
    assert tensor.read().tolist() == [0] * 99 + [1]


def _one(mask: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([ALL]), np.array([mask], np.uint64)


class _Broken(Flipper):
    """Gets something wrong."""

    def __init__(self, session, how: str) -> None:
        super().__init__(session)
        self._how = how

    def apply(self, tensor, patch):
        if self._how == "raises":
            raise RunFailedError("no kernel")
        if self._how == "does nothing":
            return
        if self._how == "elsewhere":  # the output is not the input's memory
            tensor = MEMORY.put(tensor.read())
        super().apply(tensor, patch)
        if self._how == "one byte too many":
            data = tensor.read()
            untouched = np.setdiff1d(np.arange(len(data)), patch.offset)
            data[untouched[0]] ^= 1
            tensor.write(data)


def test_it_works_here(flipper):
    assert flipper.in_place
    assert works(flipper, MEMORY)
    assert works(Flipper(None), MEMORY)


@pytest.mark.parametrize("how", ["raises", "does nothing", "elsewhere", "one byte too many"])
def test_one_that_does_not_work_is_found_out_and_replaced(flipper, how, monkeypatch):
    assert not works(_Broken(flipper.session, how), MEMORY)
    monkeypatch.setattr("onnxfi.engine.runtime._flipper.works", lambda *_: False)
    copying = open_flipper(EngineSettings(), MEMORY)
    assert not copying.in_place
    assert works(copying, MEMORY)
