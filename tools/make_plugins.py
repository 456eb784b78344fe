"""Write ``docs/plugins.md`` from the registries of plug-ins.

``python tools/make_plugins.py`` writes the page; with ``--check`` it only says whether it is up to
date.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from onnxfi.plugins import Option, Registry, options_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "plugins.md"

HEAD = """# Plug-ins

A sampler, a fault model or another part named below is a *plug-in*: one class that says its name,
its help and its options. The command line, Python, settings files and this page take them from
there. Your own class works like ours:

- in one process, register it: `SAMPLERS.register(MySampler)`;
- for the command line and for workers, name it as an entry point of your package:

```toml
[project.entry-points."onnxfi.samplers"]
my-sampler = "my_package:MySampler"
```

[ARCHITECTURE.md](../ARCHITECTURE.md#where-to-add-what) has a worked example of each kind. This page
is written by `tools/make_plugins.py` from the registries.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of plug-in.

    Attributes:
        title: Heading of its section.
        registry: Where its registry is, as ``module:NAME``.
        chosen: How a plug-in is chosen, a sentence.
    """

    title: str
    registry: str
    chosen: str


KINDS = (
    Kind(
        title="Samplers",
        registry="onnxfi.sampling:SAMPLERS",
        chosen="`--sampler NAME` with its options as `--OPTION`, or an object for `sampler=`.",
    ),
    Kind(
        title="Sampling designs",
        registry="onnxfi.analysis:DESIGNS",
        chosen="Named by the class attribute `design` of a sampler: how rates follow from what it "
        "draws. One that is not here is refused.",
    ),
    Kind(
        title="Fault models",
        registry="onnxfi.faults:FAULT_MODELS",
        chosen="`--fault-model NAME:OPTION=VALUE`, or an object for `fault_model=`.",
    ),
    Kind(
        title="Criteria",
        registry="onnxfi.outcome:CRITERIA",
        chosen="`--criterion NAME:VALUES`, or an object for `criterion=`.",
    ),
    Kind(
        title="Metrics",
        registry="onnxfi.outcome:METRICS",
        chosen="`--metric NAME:OPTION=VALUE`, or an object among `metrics=`.",
    ),
    Kind(
        title="Engines",
        registry="onnxfi.engine:ENGINES",
        chosen="`--engine NAME`, or `engine=`; `auto` takes the one of the lowest estimated cost.",
    ),
    Kind(
        title="Executors",
        registry="onnxfi.campaign:EXECUTORS",
        chosen="`--executor NAME:OPTION=VALUE`, or an object for `executor=`.",
    ),
)


def page() -> str:
    """The text of the page."""
    return HEAD + "".join("".join(_section(kind)) for kind in KINDS)


def _section(kind: Kind) -> Iterator[str]:
    module, _, name = kind.registry.partition(":")
    registry: Registry[Any] = getattr(importlib.import_module(module), name)
    yield f"\n## {kind.title}\n\n{kind.chosen} Registry: `{module}.{name}`;"
    yield f" entry points: `{registry.group}`.\n\n| name | | options |\n|---|---|---|\n"
    for each in registry.names():
        cls = registry.get(each)
        options = "<br>".join(map(_option, options_of(cls)))
        forms = [form for form in getattr(cls, "forms", ()) if form.startswith(each)] or [each]
        cells = ("<br>".join(f"`{form}`" for form in forms), cls.help, options)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _option(option: Option) -> str:
    default = option.default
    if isinstance(default, tuple):
        default = ", ".join(map(str, default))
    told = "" if default in (msgspec.NODEFAULT, None, "", False) else f" ({default})"
    return f"`{option.name}`{told}: {option.help.rstrip('.')}"


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` compare it; returns 1 where it is not up to date."""
    text = page()
    same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
    if arguments == ["--check"]:
        if not same:
            print(
                "docs/plugins.md is not what the registries say; run python tools/make_plugins.py"
            )
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
