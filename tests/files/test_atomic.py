"""Atomic files: whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from onnxfi.files import atomic_file


def test_the_file_appears_when_all_went_well(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) & 0o044, "others may not read it"


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_stands_and_nothing_else(tmp_path, kind):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def write_half() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise kind

    with pytest.raises(kind):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    path, synced = tmp_path / "a.txt", []

    def fsync(handle: int) -> None:
        status = os.fstat(handle)
        synced.append((stat.S_ISDIR(status.st_mode), status.st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_file(path) as file:
        file.write(b"new")
    (is_folder, size, named), *rest = synced
    assert (is_folder, size, named) == (False, 3, False)
    if os.name != "nt":  # where folders can't be opened
        assert [(is_folder, named) for is_folder, _, named in rest] == [(True, True)]
