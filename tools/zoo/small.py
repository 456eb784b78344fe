"""The two data sets of small pictures: 8 x 8 digits, and Fashion-MNIST averaged to 14 x 14."""

from __future__ import annotations

import gzip
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.data import FASHION, Dataset, Split, read_idx_splits, run

TESTED_OF = 4
"""Every so manieth digit is a test image, the others are trained on."""


def _fetch_digits(cache: Path) -> Path:
    packages = cache / "digits-package"
    if not list(packages.glob("scikit_learn-*.whl")):
        # The wheel is only unpacked: the pictures are needed, not the library.
        command = ["pip", "download", "--quiet", "--no-deps", "--dest", packages.name]
        run([sys.executable, "-m", *command, "scikit-learn==1.9.0"], cache)
    wheel = sorted(packages.glob("scikit_learn-*.whl"))[-1]
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("sklearn/datasets/data/digits.csv.gz")
    (packages / "digits.csv").write_bytes(gzip.decompress(packed))
    return packages


def _read_digits(folder: Path) -> tuple[Split, Split]:
    """Each line: 64 pixels in 0..16, row by row, then the class."""
    table = np.loadtxt(folder / "digits.csv", delimiter=",", dtype=np.int64)
    pixels = table[:, :-1].reshape(-1, 1, 8, 8).astype(np.float32) / np.float32(16)
    tested = np.arange(len(table)) % TESTED_OF == TESTED_OF - 1
    return Split(pixels[~tested], table[~tested, -1]), Split(pixels[tested], table[tested, -1])


def _read_halved(folder: Path) -> tuple[Split, Split]:
    train, test = read_idx_splits(folder)
    return _halved(train), _halved(test)


def _halved(split: Split) -> Split:
    """Each 2 x 2 pixels become their mean; summed in a fixed order, so the bits repeat."""
    rows = split.image[:, :, ::2] + split.image[:, :, 1::2]
    return Split((rows[..., ::2] + rows[..., 1::2]) / np.float32(4), split.label)


DIGITS = Dataset(
    name="digits",
    title="the 8 x 8 digits of scikit-learn",
    source="PyPI package scikit-learn 1.9.0",
    licence="CC BY 4.0 (E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, 1998)",
    fetch=_fetch_digits,
    digests={"digits.csv": "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"},
    read=_read_digits,
    test_images=None,
)

FASHION14 = replace(
    FASHION,
    name="fashion14",
    title="Fashion-MNIST, each 2 x 2 pixels averaged to one (14 x 14)",
    read=_read_halved,
    folder=FASHION.name,
)
