"""What the steps said when they last ran: JSON to keep, Markdown to read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from full.steps import STEPS

_HEAD = """\
# Heavy checks

What needs frameworks, other runtimes or much time, and so is no part of the ordinary tests. Every
step makes the virtual environment that it needs.

```
bash .ci/run --full                                    # the ordinary run, then all steps
python tools/full_checks.py                            # the steps alone
python tools/full_checks.py --only openvino            # one of them; the others keep their record
```

writes this page and [`full-checks.json`](full-checks.json). Below is what each step said when it
ran last. Why runtimes differ where they do: [toolchains.md](toolchains.md#to-other-runtimes).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one step came to.

    Attributes:
        held: Whether it exited with 0.
        seconds: How long it took, the making of its environment included.
        runtime: Version of onnxruntime.
        python: Version of Python.
        said: What it printed.
    """

    held: bool
    seconds: float
    runtime: str
    python: str
    said: str


def read(path: Path) -> dict[str, Result]:
    """Stored results by step; steps that are no longer in the table are dropped."""
    if not path.exists():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    known = {step.name for step in STEPS}
    return {name: Result(**value) for name, value in stored.items() if name in known}


def write(path: Path, results: Mapping[str, Result]) -> None:
    """Write the results, and the page beside them, in the order of the table."""
    ordered = {step.name: asdict(results[step.name]) for step in STEPS if step.name in results}
    path.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(page(results), encoding="utf-8")


def page(results: Mapping[str, Result]) -> str:
    """The results as a page: a table of the steps, then what each said."""
    rows = ["| step | shows | held | seconds |", "|---|---|---|---:|"]
    parts = []
    for step in STEPS:
        result = results.get(step.name)
        if result is None:
            rows.append(f"| {step.name} | {step.title} | not run yet | |")
            continue
        held = "yes" if result.held else "**no**"
        rows.append(f"| {step.name} | {step.title} | {held} | {result.seconds:.0f} |")
        extra = f" (with {', '.join(step.packages)})" if step.packages else ""
        said = result.said.strip()
        said = f"```text\n{said}\n```" if step.plain else said
        parts.append(
            f"\n## {step.name}\n\n{step.title}: `python {shlex.join(step.command)}`{extra}, "
            f"Python {result.python}, onnxruntime {result.runtime}.\n\n{said}\n"
        )
    return _HEAD + "\n" + "\n".join(rows) + "\n" + "".join(parts)
