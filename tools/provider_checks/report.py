"""The report: a Markdown page with versions, device, checks and timings."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import version

import onnxruntime as ort

from provider_checks.bench import Timing
from provider_checks.found import Check, Effort

PACKAGES = ("onnxfi", "onnx", "numpy", "ml-dtypes")


def page(effort: Effort, checks: Sequence[Check], timings: Sequence[Timing]) -> str:
    """The whole page."""
    return "\n".join([*_head(effort, checks), *_checks(checks), *_timings(timings)]) + "\n"


def device(provider: str) -> str:
    """The device in words, as far as the system tells."""
    if provider.lower().startswith("cpu"):
        return f"{platform.machine()} CPU"
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "unknown (there is no nvidia-smi)"
    fields = "name,driver_version,memory.total"
    command = [tool, f"--query-gpu={fields}", "--format=csv,noheader"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = [line.strip() for line in asked.stdout.splitlines() if line.strip()]
    return "; ".join(found) if asked.returncode == 0 and found else "unknown (nvidia-smi failed)"


def _head(effort: Effort, checks: Sequence[Check]) -> Iterator[str]:
    name = effort.provider
    held = sum(check.ok for check in checks)
    yield f"# Faults on the provider `{name}`"
    yield ""
    yield f"{held} of {len(checks)} checks held. Made by"
    yield ""
    yield "```"
    yield f"python tools/check_cuda.py{'' if name == 'cuda' else f' --provider {name}'}"
    yield "```"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| device | {device(name)} |"
    yield f"| onnxruntime | {ort.__version__}, {_escaped(ort.get_build_info())} |"
    for package in PACKAGES:
        yield f"| {package} | {version(package)} |"
    yield f"| Python | {platform.python_version()}, {platform.platform()} |"
    yield (
        f"| effort | {effort.scenarios} scenarios × {effort.images} images a comparison,"
        f" {effort.repeats} timed runs a line |"
    )
    yield ""


def _checks(checks: Sequence[Check]) -> Iterator[str]:
    yield "## Checks"
    yield ""
    yield "| claim | of | held | figures |"
    yield "|---|---|---|---|"
    for check in checks:
        held = "yes" if check.ok else "**no**"
        yield f"| {check.claim} | {check.subject} | {held} | {_escaped(check.detail)} |"
    yield ""


def _timings(timings: Sequence[Timing]) -> Iterator[str]:
    yield "## Cost"
    yield ""
    yield (
        "Wall time of a run (median), outputs as numpy arrays; ratio to the untouched model on the"
        " same provider. Off the CPU images are on the device already, but for the untouched model"
        " and where the host feeds all; flips in weights include putting them back."
    )
    yield ""
    yield "| model | images | form | ms | ratio |"
    yield "|---|---:|---|---:|---:|"
    for line in timings:
        yield (
            f"| {line.model} | {line.images} | {line.form} | {line.milliseconds:.2f}"
            f" | {line.ratio:.2f} |"
        )


def _escaped(text: str) -> str:
    """Text for a table cell, on one line."""
    return " ".join(text.replace("|", "\\|").split())
