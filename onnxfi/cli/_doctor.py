"""``onnxfi doctor``: what is installed, which providers start, what each extra would add."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from typing import Any

import click

from onnxfi import __version__
from onnxfi.cli._exit import ExitCode
from onnxfi.cli._options import common_options, json_option

_BASE = ("onnx", "numpy", "onnx-graphsurgeon", "ml-dtypes", "click", "rich", "msgspec", "scipy")
_RUNTIMES = ("onnxruntime-gpu", "onnxruntime")

#: Extras of this version: what to install, and what one gets for it.
_EXTRAS = {
    "report": (("matplotlib",), "nothing yet; HTML reports draw without it"),
    "parquet": (("pyarrow",), "nothing yet; export writes csv and jsonl without it"),
    "dask": (("distributed",), "an executor for Campaign.run(executor=...) on a cluster"),
    "mpi": (("mpi4py",), "an executor for Campaign.run(executor=...) on a cluster"),
    "train": (("torch",), "tools/make_models.py, which makes the models of models/ anew"),
}


#: The smallest model there is, ``y = Identity(x)`` on one float at opset 13: this room builds no
#: graphs, and a provider is only known to start when it started.
TINY_MODEL = (
    b'\x08\x08:9\n\x12\n\x01x\x12\x01y"\x08Identity:\x00\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08'
    b"\x01\x12\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n"
    b"\x00\x10\r"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """An execution provider: its name, and why it does not start (empty if it does)."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the doctor saw; ``problems`` are things that keep onnxfi from working."""

    packages: dict[str, str | None]
    cpu: dict[str, str]
    providers: tuple[ProviderState, ...]
    extras: dict[str, dict[str, Any]]
    problems: tuple[str, ...]


@click.command(name="doctor", short_help="Show versions, providers, and what each extra adds.")
@json_option
@common_options
def command(as_json: bool) -> None:
    """Show versions, execution providers, and what each extra would add.

    Every provider that onnxruntime offers is really started on a tiny model, since onnxruntime
    falls back to the CPU without a word. Exit code 1 if something keeps onnxfi from working.
    """
    finding = _examine()
    if as_json:
        _print_json(finding)
    else:
        _print_tables(finding)
    for problem in finding.problems:
        click.echo(f"problem: {problem}", err=True)
    if finding.problems:
        click.get_current_context().exit(ExitCode.ERROR)


def _examine() -> Finding:
    packages = {name: _version(name) for name in (*_BASE, *_RUNTIMES)}
    problems = [f"{name} is not installed" for name in _BASE if packages[name] is None]
    runtimes = [name for name in _RUNTIMES if packages[name] is not None]
    if len(runtimes) > 1:
        problems.append(
            "both onnxruntime and onnxruntime-gpu are installed and overwrite each other's files; "
            "uninstall both, then install one"
        )
    providers: tuple[ProviderState, ...] = ()
    cpu: dict[str, str] = {}
    try:
        cpu = _cpu()
        providers = _try_providers()
    except ImportError as error:
        problems.append(f"onnxruntime can't be loaded: {error}")
    extras = {
        name: {"installed": all(_version(part) for part in parts), "needs": parts, "adds": adds}
        for name, (parts, adds) in _EXTRAS.items()
    }
    return Finding(
        packages=packages, cpu=cpu, providers=providers, extras=extras, problems=tuple(problems)
    )


def _cpu() -> dict[str, str]:
    """What of the CPU decides results, as the identity of a campaign has it."""
    from onnxfi.engine import instruction_set, int8_arithmetic

    return {"instruction_set": instruction_set(), "int8_arithmetic": int8_arithmetic()}


def _try_providers() -> tuple[ProviderState, ...]:
    from onnxfi.engine import EngineSettings, Session, available_providers
    from onnxfi.errors import BackendError
    from onnxfi.graph import load

    model = load(TINY_MODEL)
    states = []
    for name in available_providers():
        reason = ""
        try:
            Session(model, EngineSettings(provider=name))
        except BackendError as error:
            reason = str(error)
        states.append(ProviderState(name=name, reason=reason))
    return tuple(states)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _surroundings() -> dict[str, Any]:
    return {
        "onnxfi": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }


def _print_json(finding: Finding) -> None:
    from onnxfi.cli._output import print_document

    providers = [
        {"name": state.name, "starts": not state.reason, "reason": state.reason or None}
        for state in finding.providers
    ]
    print_document(
        "doctor",
        {
            **_surroundings(),
            **finding.cpu,
            "packages": finding.packages,
            "providers": providers,
            "extras": finding.extras,
            "problems": finding.problems,
        },
    )


def _print_tables(finding: Finding) -> None:
    from onnxfi.cli._output import print_page
    from onnxfi.report import Column, Fact, Page, Row, TableView

    facts = [Fact(label=name, text=str(value)) for name, value in _surroundings().items()]
    facts += [Fact(label=name.replace("_", " "), text=text) for name, text in finding.cpu.items()]
    facts += [
        Fact(label=name, text=version)
        for name, version in finding.packages.items()
        if version is not None
    ]
    texts = (Column(title="provider", number=False), Column(title="state", number=False))
    providers = TableView(
        title="Execution providers",
        columns=texts,
        rows=tuple(
            Row(cells=(state.name, state.reason or "starts")) for state in finding.providers
        ),
    )
    extras = TableView(
        title="Extras: pip install 'onnxfi[NAME]'",
        columns=tuple(Column(title=t, number=False) for t in ("name", "installed", "adds")),
        rows=tuple(
            Row(cells=(name, "yes" if extra["installed"] else "no", extra["adds"]))
            for name, extra in finding.extras.items()
        ),
    )
    print_page(Page(title="onnxfi doctor", facts=tuple(facts), tables=(providers, extras)))
