"""Undefined symbols of a shared library, by the library that it wants them from."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_DYNAMIC, _DYNSYM, _VERNEED, _VERSYM = 6, 11, 0x6FFFFFFE, 0x6FFFFFFF
_NEEDED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What a shared library needs from others.

    Attributes:
        libraries: Sonames that the loader looks for.
        symbols: Undefined symbols by the soname that their version belongs to; those without a
            version under ``""``.
        versions: Names of version nodes by soname.
    """

    libraries: tuple[str, ...]
    symbols: Mapping[str, tuple[str, ...]]
    versions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    kind: int
    start: int
    size: int
    link: int
    count: int


def wants(path: Path) -> Wants:
    """Read a 64-bit little-endian ELF file."""
    with path.open("rb") as file:
        head = file.read(64)
        if head[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path} is not a 64-bit little-endian ELF file")
        (table,) = struct.unpack_from("<Q", head, 40)
        size, count = struct.unpack_from("<HH", head, 58)

        def read(start: int, length: int) -> bytes:
            file.seek(start)
            return file.read(length)

        sections = [_section(read(table + size * i, size)) for i in range(count)]

        def content(section: _Section) -> bytes:
            return read(section.start, section.size)

        found = {s.kind: s for s in sections if s.kind in (_DYNAMIC, _DYNSYM, _VERNEED, _VERSYM)}
        text = content(sections[found[_DYNSYM].link])
        needed = [
            _name(text, value)
            for tag, value in struct.iter_unpack("<qQ", content(found[_DYNAMIC]))
            if tag == _NEEDED
        ]
        owners = _owners(content(found[_VERNEED]), found[_VERNEED].count, text)
        numbers = struct.unpack(f"<{found[_VERSYM].size // 2}H", content(found[_VERSYM]))
        symbols: dict[str, list[str]] = {}
        entries = struct.iter_unpack("<IBBHQQ", content(found[_DYNSYM]))
        for (name, info, _, defined_in, _, _), number in zip(entries, numbers, strict=True):
            if defined_in == 0 and name and info >> 4 == 1:  # undefined and not weak
                owner = owners.get(number & 0x7FFF, ("", ""))[0]
                symbols.setdefault(owner, []).append(_name(text, name))
    versions: dict[str, list[str]] = {}
    for library, version in owners.values():
        versions.setdefault(library, []).append(version)
    return Wants(
        libraries=tuple(needed),
        symbols={library: tuple(sorted(names)) for library, names in symbols.items()},
        versions={library: tuple(names) for library, names in versions.items()},
    )


def _section(raw: bytes) -> _Section:
    _, kind, _, _, start, size, link, count = struct.unpack_from("<IIQQQQII", raw)
    return _Section(kind=kind, start=start, size=size, link=link, count=count)


def _name(text: bytes, start: int) -> str:
    return text[start : text.index(b"\0", start)].decode()


def _owners(raw: bytes, count: int, text: bytes) -> dict[int, tuple[str, str]]:
    """Soname and version name by the number that symbols carry."""
    found: dict[int, tuple[str, str]] = {}
    at = 0
    for _ in range(count):
        _, entries, file, first, following = struct.unpack_from("<HHIII", raw, at)
        inner = at + first
        for _ in range(entries):
            _, _, number, name, step = struct.unpack_from("<IHHII", raw, inner)
            found[number] = (_name(text, file), _name(text, name))
            inner += step
        at += following
    return found
