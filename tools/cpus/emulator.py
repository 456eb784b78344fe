"""Emulated CPUs: a command that runs Python on another one, with qemu's user mode."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = "qemu-x86_64"
#: qemu's names of CPUs, and what each stands for.
CPUS = {
    "Haswell-noTSX": "AVX2, no AVX-512: blocks of 8 channels, int8 kernels that saturate",
    "Nehalem": "no AVX at all: SSE4 kernels",
}
_INSTALL = ("apt-get", "install", "-y", "-q", "qemu-user")


class NoEmulatorError(Exception):
    """There is no emulator, and none could be installed."""


def ensure_emulator() -> None:
    """Install the emulator where it is missing.

    Raises:
        NoEmulatorError: It can't be had here; the message says how.
    """
    if platform.machine() not in ("x86_64", "AMD64") or sys.platform != "linux":
        raise NoEmulatorError(
            f"other CPUs are emulated on Linux on x86-64 only, not on {sys.platform} on "
            f"{platform.machine()}"
        )
    if shutil.which(EMULATOR):
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(_INSTALL, check=False, stdout=sys.stderr)
    if not shutil.which(EMULATOR):
        raise NoEmulatorError(
            f"{EMULATOR} is not installed; install your system's package of qemu's user mode "
            f"emulation (Debian, Ubuntu: sudo {' '.join(_INSTALL)})"
        )


def python(cpu: str | None, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run this Python on an emulated CPU, in the project's root; None for the machine's own."""
    emulator = [] if cpu is None else [EMULATOR, "-cpu", cpu]
    return subprocess.run(
        [*emulator, sys.executable, *map(str, arguments)],
        cwd=ROOT,
        # numpy's OpenBLAS goes by the model of the CPU, and has wrong kernels for this Nehalem.
        env={**os.environ, "OPENBLAS_CORETYPE": "Nehalem"},
        capture_output=True,
        text=True,
        check=False,
    )


def onnxfi(cpu: str | None, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command of onnxfi on an emulated CPU; None for the machine's own."""
    return python(cpu, "-c", "from onnxfi.cli import main; main()", *arguments)
