"""Recognising a value in another layout or precision, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from onnxfi.engine.executable import carries

RNG = np.random.default_rng(9)
IMAGE = RNG.normal(size=(2, 12, 5, 4)).astype(np.float32)
BYTES = RNG.integers(0, 256, (2, 12, 5, 4)).astype(np.uint8)


def _blocked(values, block):
    samples, channels, *image = values.shape
    padded = np.zeros((samples, -(-channels // block) * block, *image), values.dtype)
    padded[:, :channels] = values
    apart = padded.reshape(samples, -1, block, *image)
    return np.ascontiguousarray(np.moveaxis(apart, 2, -1)).reshape(padded.shape)


@pytest.mark.parametrize("block", [4, 8, 16])
def test_blocks_are_seen_through(block):
    laid_out = _blocked(IMAGE, block)
    assert carries(laid_out, IMAGE, blocked=True)
    assert not carries(laid_out, IMAGE, blocked=False)


def test_channels_may_be_last():
    assert carries(np.moveaxis(BYTES, 1, -1), BYTES, blocked=False)


def test_precision_and_rounding_may_differ():
    assert carries(IMAGE * np.float32(1 + 1e-5), IMAGE, blocked=False)
    assert carries(IMAGE, IMAGE.astype(np.float16), blocked=False)
    nearly = BYTES.astype(np.int16)
    nearly[0, 0, 0, :2] += 1
    assert carries(np.clip(nearly, 0, 255).astype(np.uint8), BYTES, blocked=False)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (np.maximum(IMAGE, 0), IMAGE),
        (IMAGE[:, ::-1], IMAGE),
        (IMAGE[:1], IMAGE),
        (IMAGE[0], IMAGE),
        (255 - BYTES, BYTES),
        (BYTES.astype(np.float32), BYTES),
        (IMAGE > 0, IMAGE > 0),
        (np.full_like(IMAGE, np.nan), IMAGE),
    ],
)
def test_other_values_are_not_it(value, stored):
    assert not carries(np.ascontiguousarray(value), stored, blocked=True)


def test_what_tells_nothing_proves_nothing():
    assert not carries(np.zeros((2, 3)), np.zeros((2, 3)), blocked=False)
    assert not carries(np.ones(1), np.ones(1), blocked=False)
    wild = np.array([[1.0, np.inf]])
    assert not carries(wild, wild, blocked=False)
