"""Execution providers: finding the one asked for, and refusing to fall back to another."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from onnxfi.engine.runtime._onnxruntime import InferenceSession, ort
from onnxfi.engine.runtime._settings import EngineSettings
from onnxfi.errors import BackendError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
_SUFFIX = "ExecutionProvider"

# TF32 rounds inputs to 10 bits of mantissa, and the exhaustive search picks convolution kernels by
# the clock: with either, two golden runs may differ.
_DEFAULTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {CUDA: {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An execution provider that this onnxruntime has.

    Attributes:
        name: onnxruntime's name.
        options: Its options.
    """

    name: str
    options: Mapping[str, str]

    @property
    def short(self) -> str:
        """The name as users give it: ``cpu``, ``cuda``."""
        return _short(self.name)

    @property
    def on_cpu(self) -> bool:
        """Whether this is onnxruntime's own CPU provider."""
        return self.name == CPU

    def requested(self) -> list[Any]:
        """The list that a session takes.

        The CPU comes second, for nodes that the provider has no kernel for: CUDA has none for
        BitCast and the bitwise operators.
        """
        rest = [] if self.on_cpu else [CPU]
        return [(self.name, dict(self.options)), *rest]


def available_providers() -> tuple[str, ...]:
    """Providers that this onnxruntime was built with, by their short names."""
    return tuple(_short(name) for name in ort.get_available_providers())


def find_provider(settings: EngineSettings) -> Provider:
    """The provider that the settings ask for.

    Raises:
        BackendError: This onnxruntime was not built with it.
    """
    wanted = _short(settings.provider)
    for name in ort.get_available_providers():
        if _short(name) == wanted:
            return Provider(
                name=name, options={**_DEFAULTS.get(name, {}), **settings.provider_options}
            )
    has = ", ".join(available_providers())
    raise BackendError(
        f"provider {settings.provider!r} is not in this onnxruntime ({ort.__version__} has: {has});"
        f" {_install(wanted)}"
    )


@cache
def load_libraries(name: str) -> None:
    """Load CUDA's libraries where pip put them, for a provider that needs them.

    The provider's library has no search path to the nvidia-* packages: without this it starts
    only where CUDA is installed in the system, or another package has loaded it before.
    """
    preload = getattr(ort, "preload_dlls", None)
    if name not in (CUDA, TENSORRT) or preload is None:
        return
    # What it can't find it prints; the provider may start all the same, and if not we say why.
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        preload()


def check_providers(session: InferenceSession, provider: Provider) -> None:
    """Refuse a session that onnxruntime quietly started on another provider.

    Raises:
        BackendError: The session does not use the provider.
    """
    got = session.get_providers()
    if provider.name in got:
        return
    raise BackendError(
        f"provider {provider.short!r} can't start here, only"
        f" {', '.join(map(_short, got))} did: {_why_not(provider.name)}"
    )


def _short(name: str) -> str:
    return name.removesuffix(_SUFFIX).lower()


def _install(wanted: str) -> str:
    packages = {
        "cuda": "pip install onnxruntime-gpu",
        "tensorrt": "pip install onnxruntime-gpu",
        "openvino": "pip install onnxruntime-openvino",
        "dml": "pip install onnxruntime-directml",
        "qnn": "pip install onnxruntime-qnn",
    }
    if wanted in packages:
        return f"{packages[wanted]} in place of the installed onnxruntime package"
    return "install an onnxruntime package that has it"


def _why_not(name: str) -> str:
    """What is missing, in one line: onnxruntime itself only prints it to the log."""
    stem = f"onnxruntime_providers_{_short(name)}"
    folder = Path(ort.__file__).parent / "capi"
    for library in (folder / f"lib{stem}.so", folder / f"{stem}.dll"):
        if not library.exists():
            continue
        try:
            ctypes.CDLL(str(library))
        except OSError as error:
            missing = " ".join(str(error).split())
            if "libcuda.so" in missing:
                return f"{missing}; it is part of NVIDIA's driver, which is not installed"
            return (
                f"{missing}; install the libraries it needs, for CUDA with"
                f" pip install 'onnxruntime-gpu[cuda,cudnn]'"
            )
    return "there is no such device, or its driver is too old; check with nvidia-smi or the like"
