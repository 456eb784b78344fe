"""Write what follows from the schema of settings: the API's keywords and the page of the docs.

``python tools/make_settings.py`` writes ``onnxfi/api/_keywords.py`` and ``docs/settings.md``; with
``--check`` it only says whether they are up to date.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from onnxfi.plugins import Option
from onnxfi.settings import (
    CampaignSettings,
    RunOptions,
    SensitivityOptions,
    StopRule,
    bounds_of,
    keyword_of,
    settings_of,
    usual_text,
)

ROOT = Path(__file__).resolve().parent.parent

#: Typed dictionaries: name, what it is, those it builds on, record, groups.
DICTIONARIES: tuple[
    tuple[str, str, tuple[str, ...], type[msgspec.Struct], tuple[str, ...]], ...
] = (
    ("ReadingKeywords", "What a sample of the inputs is.", (), CampaignSettings, ("reading",)),
    ("SiteKeywords", "Which sites.", ("ReadingKeywords",), CampaignSettings, ("sites",)),
    (
        "StudyKeywords",
        "Which faults, what a failure is, and how the model runs.",
        ("SiteKeywords",),
        CampaignSettings,
        ("faults", "judging", "graph", "provider", "runs", "state"),
    ),
    (
        "CampaignKeywords",
        "What ``Campaign.create`` takes.",
        ("StudyKeywords",),
        CampaignSettings,
        ("model", "inputs", "scenarios", "list", "engine", "blocks", "watching"),
    ),
    (
        "SensitivityKeywords",
        "What ``measure_sensitivity`` takes besides model and inputs.",
        ("StudyKeywords",),
        SensitivityOptions,
        ("effort", "more effort"),
    ),
    (
        "RunKeywords",
        "What ``Campaign.run`` takes besides the number of workers.",
        (),
        RunOptions,
        ("executor", "memory", "limits", "rule"),
    ),
)

HEADER = '''"""Keyword arguments of the API; written by ``tools/make_settings.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Required, TypedDict

from onnxfi.faults import FaultModel
from onnxfi.outcome import Criterion, Metric
from onnxfi.sampling import Sampler
from onnxfi.settings import StopRule
'''

PAGE = """# Settings

Every setting, as it is written in Python, on the command line and in files. The command line can
also be given by the environment, as `ONNXFI_<COMMAND>_<OPTION>`, and by `--config FILE.toml`, whose
keys are the names of settings or options. What is given on the command line goes before the
environment, that before the file.

This page is written by `tools/make_settings.py` from `onnxfi/settings`.
"""

#: Tables of the page: title, record, groups.
TABLES: tuple[tuple[str, type[msgspec.Struct], tuple[str, ...]], ...] = (
    ("The model and its inputs", CampaignSettings, ("model", "inputs", "state", "reading")),
    ("Which sites", CampaignSettings, ("sites",)),
    ("Which faults and scenarios", CampaignSettings, ("faults", "scenarios", "list")),
    ("What a failure is", CampaignSettings, ("judging",)),
    ("How the model runs", CampaignSettings, ("graph", "engine", "provider", "runs", "blocks")),
    ("What else is kept", CampaignSettings, ("watching",)),
    ("How the work is done", RunOptions, ("work", "executor", "memory", "limits")),
    ("When a run stops", StopRule, ("stop", "level")),
    ("How much a sensitivity runs", SensitivityOptions, ("effort", "more effort")),
)
#: Groups that only Python takes.
PYTHON_ONLY = ("scenarios", "blocks", "rule", "more effort")


def keyword_type(option: Option) -> str:
    """The type of a keyword argument, as it is written in Python."""
    if "takes" in option.extra:
        return str(option.extra["takes"])
    if get_origin(option.type) is Literal:
        text = f"Literal[{', '.join(repr(choice) for choice in option.choices)}]".replace("'", '"')
    elif get_origin(option.type) is tuple:
        each = (
            "str | PathLike[str]" if "path" in option.extra else get_args(option.type)[0].__name__
        )
        text = f"Sequence[{each}]"
    elif "path" in option.extra:
        text = "str | PathLike[str]"
    else:
        text = option.type.__name__
    return f"{text} | None" if option.nullable else text


def keywords() -> str:
    """The source of ``onnxfi/api/_keywords.py``."""
    return HEADER + "".join(map(_dictionary, DICTIONARIES))


def _dictionary(told: Any) -> str:
    name, about, bases, record, groups = told
    options = settings_of(record, *groups).values()
    lines = [
        "\n",
        f"class {name}({', '.join(bases) or 'TypedDict'}, total=False):",
        f'    """{about}',
        "",
        "    Attributes:",
    ]
    for option in options:
        text = f"{keyword_of(option)}: {_help(option)}"
        lines += textwrap.wrap(
            text, 100, initial_indent=" " * 8, subsequent_indent=" " * 12, break_on_hyphens=False
        )
    lines += ['    """', ""]
    for option in options:
        kind = keyword_type(option)
        lines.append(
            f"    {keyword_of(option)}: {f'Required[{kind}]' if option.required else kind}"
        )
    return "\n".join(lines) + "\n"


def _help(option: Option) -> str:
    usual = usual_text(option)
    return f"{option.help} Default: {usual}." if usual else option.help


def page() -> str:
    """The text of ``docs/settings.md``."""
    return PAGE + "".join("".join(_table(*table)) for table in TABLES)


def _table(title: str, record: type[msgspec.Struct], groups: tuple[str, ...]) -> Iterator[str]:
    yield f"\n## {title}\n\n| Python | command line | values | default | |\n|---|---|---|---|---|\n"
    for option in settings_of(record, *groups).values():
        flag = "" if option.extra.get("group") in PYTHON_ONLY else f"`{option.flag}`"
        cells = (
            f"`{keyword_of(option)}`",
            flag,
            _values(option),
            usual_text(option),
            option.help,
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _values(option: Option) -> str:
    """What a value may be: its type, or the choices, and its bounds."""
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    bounds = bounds_of(option)
    signs = ((">=", bounds.ge), (">", bounds.gt), ("<=", bounds.le), ("<", bounds.lt))
    limits = ", ".join(f"{sign} {limit}" for sign, limit in signs if limit is not None)
    unit = f" ({option.unit})" if option.unit else ""
    return f"`{keyword_type(option)}`{unit}{' ' if limits else ''}{limits}"


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` compare them; returns 1 where one is not up to date."""
    wanted = {"onnxfi/api/_keywords.py": keywords(), "docs/settings.md": page()}
    old = [name for name, text in wanted.items() if _read(ROOT / name) != text]
    if arguments == ["--check"]:
        for name in old:
            print(f"{name} is not what the schema says; run python tools/make_settings.py")
        return 1 if old else 0
    for name in old:
        (ROOT / name).write_text(wanted[name], encoding="utf-8")
        print(f"{name} written")
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
