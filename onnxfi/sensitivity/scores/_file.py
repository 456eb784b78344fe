"""Files of sensitivities: one ``.npz`` with a header in JSON, and every array once."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.files import atomic_file
from onnxfi.sensitivity.scores._pack import ScorePart, pack, unpack
from onnxfi.sensitivity.scores._scores import SensitivityScores

SCHEMA = "onnxfi/scores/1"
HEADER = "__onnxfi__"
"""Name of the array that holds the header."""

_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the scores of a file were measured; see ``Sensitivity``."""

    model_sha256: str
    graph_sha256: str | None
    inputs_sha256: str
    criterion: str
    options: dict[str, int | float]
    cost: dict[str, int]
    methods: dict[str, str]
    notes: tuple[str, ...]


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema: str
    provenance: Provenance = msgspec.field(name="told")
    digest: str
    drop: float
    parts: list[ScorePart]
    sites: dict[str, int]


def write_file(path: Path, provenance: Provenance, scores: SensitivityScores) -> None:
    """Write scores, and how they were measured."""
    packed = pack(scores.sites, scores.drop)
    header = _Header(
        schema=SCHEMA,
        provenance=provenance,
        digest=packed.digest,
        drop=scores.drop,
        parts=packed.parts,
        sites=packed.sites,
    )
    arrays = {f"array{place}": array for place, array in enumerate(packed.arrays)}
    with atomic_file(path) as file:
        text = np.frombuffer(msgspec.json.encode(header), np.uint8)
        np.savez(file, allow_pickle=False, **{HEADER: text}, **arrays)


def is_sensitivity(path: Path) -> bool:
    """Whether a file is a ``.npz`` with a header of this kind; it may still be damaged.

    Raises:
        ConfigError: There is no such file.
    """
    try:
        with zipfile.ZipFile(path) as file:
            return f"{HEADER}.npy" in file.namelist()
    except FileNotFoundError:
        raise ConfigError(f"there is no file of scores {str(path)!r}") from None
    except (OSError, zipfile.BadZipFile):
        return False


def read_file(path: Path) -> tuple[Provenance, SensitivityScores]:
    """Read what :func:`write_file` wrote.

    Raises:
        ConfigError: The file is missing, damaged, of another kind or of a newer version.
    """
    try:
        # Opened here, since numpy leaves the file open when it turns out to be damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            if HEADER not in data.files:
                raise ConfigError(f"{path} holds no sensitivity; `onnxfi sensitivity` makes one")
            header = _header(path, data[HEADER])
            count = sum(name != HEADER for name in data.files)
            arrays = [data[f"array{place}"] for place in range(count)]
    except FileNotFoundError:
        raise ConfigError(f"there is no file of scores {str(path)!r}") from None
    except (*_DAMAGE, msgspec.DecodeError, AttributeError) as error:
        raise _damaged(path) from error
    return header.provenance, _scores(path, header, arrays)


def _header(path: Path, stored: NDArray[Any]) -> _Header:
    text = stored.tobytes()
    schema = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("schema")
    found = None if schema is None else msgspec.json.decode(schema)
    if found != SCHEMA:
        raise ConfigError(
            f"{path} is of schema {found!r}, expected {SCHEMA!r}; measure again with this version"
        )
    return msgspec.json.decode(text, type=_Header)


def _scores(path: Path, header: _Header, arrays: list[NDArray[Any]]) -> SensitivityScores:
    try:
        sites = unpack(header.parts, header.sites, arrays)
        digest = pack(sites, header.drop).digest
    except (ValueError, TypeError) as error:
        raise _damaged(path) from error
    if digest != header.digest:
        raise _damaged(path)
    return SensitivityScores(sites=_in_order(header, sites), drop=header.drop, digest=digest)


def _in_order(header: _Header, sites: Mapping[str, Any]) -> dict[str, Any]:
    """Sites in the order in which they were measured, which the methods are in."""
    return {name: sites[name] for name in header.provenance.methods if name in sites} | dict(sites)


def _damaged(path: Path) -> ConfigError:
    return ConfigError(
        f"scores {str(path)!r} are damaged, or of another version of onnxfi; measure them again "
        "with `onnxfi sensitivity`"
    )
