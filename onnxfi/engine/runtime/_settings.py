"""How models are run: provider, optimisation level, batch size, timeout, engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from onnxfi.errors import ConfigError
from onnxfi.workload import StateStream

Optimization = Literal["all", "extended", "basic", "disabled"]
Graph = Literal["stored", "deployed"]

_GIB = 1 << 30
DEFAULT_MEMORY_BYTES = 2 * _GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of sessions and engines.

    Attributes:
        provider: ``cpu``, ``cuda``, or the name of an onnxruntime execution provider, with or
            without its suffix ``ExecutionProvider``.
        provider_options: Options of the provider; they override the defaults made for
            reproducible results.
        optimization: onnxruntime's graph optimisation level.
        graph: ``stored``: models are those of files, and optimised when a session starts.
            ``deployed``: models are what :func:`deployed` makes, optimised already, and run as
            they are.
        batch_size: Samples in one run; None picks it from the model's size.
        timeout_s: Seconds one run may take; a run that takes longer is ended, and its samples run
            singly. After the first such run of a scenario the others have an eighth of it, at
            least 1 s. None for no limit.
        engine: ``auto``, or the name of an engine.
        memory_limit_bytes: Size up to which open sessions, their golden outputs and the values
            behind which they start are kept.
        stream: Which outputs are fed back to which inputs: what a session runs is then a whole
            sequence, one run a step. None for single runs.
        custom_ops: Paths of shared libraries with operators that models use; code that runs.
    """

    provider: str = "cpu"
    provider_options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    optimization: Optimization = "all"
    graph: Graph = "stored"
    batch_size: int | None = None
    timeout_s: float | None = None
    engine: str = "auto"
    memory_limit_bytes: int = DEFAULT_MEMORY_BYTES
    stream: StateStream | None = None
    custom_ops: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        levels = get_args(Optimization)
        if self.optimization not in levels:
            raise ConfigError(
                f"optimization {self.optimization!r} is unknown; choose from {', '.join(levels)}"
            )
        if self.graph not in get_args(Graph):
            known = ", ".join(get_args(Graph))
            raise ConfigError(f"graph {self.graph!r} is unknown; choose from {known}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ConfigError(f"batch size must be at least 1, got {self.batch_size}")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ConfigError(f"timeout must be above 0 seconds, got {self.timeout_s}")
        if self.memory_limit_bytes < 0:
            raise ConfigError(f"memory limit must not be negative, got {self.memory_limit_bytes}")
