"""Sample pictures of installed packages, cut into crops for a network of ImageNet."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

#: Colour photographs, by the package that ships them. Only its files are read.
SOURCES = {
    "scikit-image": (
        "astronaut.png",
        "chelsea.png",
        "coffee.png",
        "rocket.jpg",
        "motorcycle_left.png",
    ),
    "scikit-learn": ("china.jpg", "flower.jpg"),
}
SIDE = 224
#: What the network was trained on: (value - MIDDLE) / SPAN.
MIDDLE, SPAN = 127.0, 128.0
#: Short sides that crops are cut from: those to judge by, those to calibrate on; and their places.
SCALES = (256, 304)
PLACES = ((0.5, 0.5), (0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75))


class PictureError(Exception):
    """Pictures can't be had; the text says what to do."""


Crop = tuple[int, tuple[float, float], bool]


def crops() -> tuple[list[Crop], list[Crop]]:
    """Crops to judge failures by, and others to calibrate scores on; the first is the usual one."""
    judged, calibration = (
        [(scale, place, flip) for flip in (False, True) for place in PLACES] for scale in SCALES
    )
    return judged, calibration


def load() -> list[Any]:
    """The pictures, as Pillow has them.

    Raises:
        PictureError: Pillow or a package isn't there, or no longer ships a picture.
    """
    try:
        image: Any = importlib.import_module("PIL.Image")
        found = [image.open(path).convert("RGB") for path in _paths()]
    except (ModuleNotFoundError, OSError) as error:
        raise PictureError(
            f"{error}; pip install --no-deps pillow scikit-image==0.26.0 scikit-learn==1.9.1"
        ) from error
    return found


def _paths() -> Iterator[Path]:
    for package, names in SOURCES.items():
        files = {file.name: file for file in importlib.metadata.files(package) or []}
        for name in names:
            if name not in files:
                raise PictureError(f"{package} has no {name} any more; 0.26.0 and 1.9.1 had all")
            yield Path(str(files[name].locate()))


def samples(pictures: list[Any], how: list[Crop], count: int) -> npt.NDArray[np.float32]:
    """The first crop of each picture, then the second of each, and so on, until there are enough.

    Returns:
        float32 (count, 3, SIDE, SIDE).

    Raises:
        PictureError: There are not so many crops.
    """
    most = len(pictures) * len(how)
    if count > most:
        raise PictureError(f"{count} crops wanted, the pictures give {most}")
    return np.stack(
        [cut(pictures[k % len(pictures)], how[k // len(pictures)]) for k in range(count)]
    )


def cut(picture: Any, crop: Crop) -> npt.NDArray[np.float32]:
    """Scale to the crop's short side (bicubic), cut it out, mirror it, and scale the values."""
    short, (across, down), mirrored = crop
    factor = short / min(picture.size)
    width, height = (max(short, round(side * factor)) for side in picture.size)
    left, top = round(across * (width - SIDE)), round(down * (height - SIDE))
    # 3 is Pillow's bicubic; the box is cut after scaling, so that borders are those of the picture.
    scaled = picture.resize((width, height), 3)
    pixels = np.asarray(scaled.crop((left, top, left + SIDE, top + SIDE)), dtype=np.float32)
    if mirrored:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(((pixels - MIDDLE) / SPAN).transpose(2, 0, 1))
