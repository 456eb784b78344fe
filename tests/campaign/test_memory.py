"""The memory limit: reading sizes, finding out what is free, and that no row depends on it."""

from __future__ import annotations

import os

import pytest

from onnxfi.campaign import free_memory, run_campaign, worker_limit
from onnxfi.engine import DEFAULT_MEMORY_BYTES, open_engine
from onnxfi.errors import ConfigError
from onnxfi.settings import RunOptions, parse_size

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GB", 10**9),
        ("0.5GB", 5 * 10**8),
        ("512MiB", 512 * 2**20),
        (" 2 gib ", 2 * GIB),
        ("800kB", 800_000),
        (".5TiB", 2**39),
        ("0B", 0),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "512", "1 G", "-1GB", "1e9B", "GB", "1GB2", "1,5GB", "nan"])
def test_what_is_no_size(text):
    with pytest.raises(ConfigError, match=r"is not a size in memory; .*512MiB"):
        parse_size(text)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A made-up system: files by path below its root."""
    monkeypatch.delattr(os, "sysconf", raising=False)

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n"


def test_free_is_what_the_kernel_calls_available(machine):
    assert free_memory(machine({"proc/meminfo": MEMINFO})) == 8_000_000 * 1024


def test_a_control_group_allows_less(machine):
    root = machine(
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "1:name=systemd:/old\n0::/job/step\n",
            "sys/fs/cgroup/job/step/memory.max": "max\n",
            "sys/fs/cgroup/job/step/memory.current": "1000\n",
            "sys/fs/cgroup/job/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/job/memory.current": f"{GIB}\n",
            "sys/fs/cgroup/job/memory.stat": "anon 5\ninactive_file 4096\n",
        }
    )
    assert free_memory(root) == GIB + 4096
    # Over its limit already: nothing is free, and less than nothing can't be.
    machine({"sys/fs/cgroup/job/memory.current": f"{3 * GIB}\n"})
    assert free_memory(root) == 0


def test_a_control_group_at_the_top(machine):
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "5000\n"}
    root = machine(files | {"sys/fs/cgroup/memory.current": "1000\n"})
    assert free_memory(root) == 4000


def test_a_system_that_does_not_tell(machine, monkeypatch):
    root = machine({"proc/meminfo": "MemTotal: 1 kB\n"})
    assert free_memory(root) is None
    pages = {"SC_AVPHYS_PAGES": 7, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__, raising=False)
    assert free_memory(root) == 7 * 4096


def test_the_default_is_a_quarter_of_what_is_free_for_all_workers(monkeypatch):
    monkeypatch.setattr("onnxfi.campaign._memory.free_memory", lambda: 8 * GIB)
    assert worker_limit(None, 1) == 2 * GIB
    assert worker_limit(None, 4) == GIB // 2
    assert worker_limit(123, 4) == 123
    monkeypatch.setattr("onnxfi.campaign._memory.free_memory", lambda: None)
    assert worker_limit(None, 4) == DEFAULT_MEMORY_BYTES


def test_this_machine_tells():
    free = free_memory()
    assert free is None or 0 <= free < 2**50


def test_the_limit_reaches_the_engine_and_no_row(create, rows_of, monkeypatch):
    seen, real = [], open_engine

    def noting(name, context):
        seen.append(context.settings.memory_limit_bytes)
        return real(name, context)

    monkeypatch.setattr("onnxfi.campaign._worker.open_engine", noting)
    monkeypatch.setattr("onnxfi.campaign._memory.free_memory", lambda: 8 * GIB)
    tight, usual = create("tight"), create("usual")
    run_campaign(tight, RunOptions(memory_limit_bytes=0))
    run_campaign(usual)
    assert seen == [0, 2 * GIB]
    assert rows_of(tight) == rows_of(usual)
    assert tight.document.identity == usual.document.identity


def test_a_negative_limit_is_refused(create):
    with pytest.raises(ConfigError, match="memory_limit_bytes is -1"):
        run_campaign(create(), RunOptions(memory_limit_bytes=-1))
