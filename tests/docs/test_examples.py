"""The worked examples of ARCHITECTURE.md run as they stand.

Each is copied into its place in a copy of the package, its line is added to the registry, and it
is used from the command line: one new file, one edited file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
FLAGS = re.DOTALL | re.MULTILINE
FENCED = r"```{}\n(.*?)^```$"

MODEL = """
<ir_version: 10, opset_import: ["" : 20]>
quadrants (float[batch, 2] point) => (float[batch, 4] score, float[batch, 4] second)
    <float[2, 4] direction = {1, -1, -1, 1, 1, 1, -1, -1}, float[4] offset = {0, 0, 0, 0}>
{ score = Gemm(point, direction, offset)  second = Neg(score) }
"""


class Example(NamedTuple):
    """A new file, if there is one, and the lines that make it known."""

    path: str
    code: str
    edited: str
    lines: str


def _examples() -> dict[str, Example]:
    """The examples of the page by the name of their new file."""
    found = {}
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        new = re.search(r"<!-- example: (\S+) -->\n" + FENCED.format("python"), section, FLAGS)
        edit = re.search(r"ine, in `(\S+)`:\n\n" + FENCED.format(""), section, FLAGS)
        if edit:
            path, code = new.groups() if new else ("", "")
            name = Path(path or edit[1]).stem.removeprefix("_")
            found[name] = Example(path, code, f"onnxfi/{edit[1]}", edit[2])
    return found


def _edited(text: str, lines: str) -> str:
    """A file with the new lines: imports before others, entries at the end of the table."""
    for line in lines.splitlines(keepends=True):
        if line.startswith("from "):
            place = text.index("from onnxfi.")
        else:
            table = re.search(r"^( *)(?:\{|.*\] = ([({]))\n", text, re.MULTILINE)
            assert table, line
            closing = table[1] + (")" if table[2] == "(" else "}")
            place = text.index(f"\n{closing}", table.end()) + 1
        text = text[:place] + line + text[place:]
    return text


EXAMPLES = _examples()
ANSWER = ("--criterion-output", "score")
#: How each is used in a campaign.
USES = {
    "independent": ("--sampler", "independent", "-n", "20", "--seed", "1"),
    "nibble": ("--fault-model", "nibble", "-n", "20"),
    "several": ("--criterion", "several-changed:least=2", "-n", "20"),
    "largest": ("--metric", "largest-error:output=score", "-n", "20"),
    "fresh": ("--executor", "fresh:units=9", "-n", "6"),
    "feed": ("--engine", "feed", "--targets", "input", "-n", "20"),
    "worst": ("--bits", "exponent", "-n", "40"),
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package in which all examples are, and a model."""
    folder = tmp_path_factory.mktemp("architecture")
    shutil.copytree(
        ROOT / "onnxfi", folder / "onnxfi", ignore=shutil.ignore_patterns("__pycache__")
    )
    for example in EXAMPLES.values():
        if example.path:
            (folder / example.path).write_text(example.code, encoding="utf-8")
        edited = folder / example.edited
        edited.write_text(_edited(edited.read_text("utf-8"), example.lines), encoding="utf-8")
    onnx.save(onnx.parser.parse_model(MODEL), folder / "model.onnx")
    point = np.random.default_rng(1).uniform(-1, 1, (50, 2)).astype(np.float32)
    np.savez(folder / "inputs.npz", point=point)
    return folder


def _run(package: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=package,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_them_all():
    assert set(EXAMPLES) == {*USES, "ops"}


CUSTOM = """
<ir_version: 10, opset_import: ["" : 20, "com.example" : 1]>
g (float[n, 2] x) => (float[n, 2] y)
    <float[2, 2] w = {1, 2, 3, 4}, float[2] b = {5, 6}, float s = {7}>
{ y = com.example.ScaledGemm(x, w, b, s) }
"""
KINDS = """
import onnxfi

sites = onnxfi.enumerate_sites("custom.onnx", targets=["weight", "bias", "scale"])
print({site.name: str(site.kind) for site in sites})
"""


def test_an_operator(package: Path):
    onnx.save(onnx.parser.parse_model(CUSTOM), package / "custom.onnx")
    (package / "kinds.py").write_text(KINDS, encoding="utf-8")
    assert _run(package, "kinds") == "{'w': 'weight', 'b': 'bias', 's': 'scale'}\n"


@pytest.mark.parametrize("name", USES)
def test_an_example(package: Path, name: str):
    data = ("--model", "model.onnx", "--inputs", "inputs.npz", *ANSWER)
    assert "failure" in _run(package, "onnxfi", "run", name, *data, *USES[name])
    if name == "worst":
        _run(package, "onnxfi", "report", name, "-o", "report.md")
        assert "Worst sites" in (package / "report.md").read_text(encoding="utf-8")


SUITES = """
from onnxfi.outcome._largest import LargestError
from onnxfi.outcome._several import SeveralChanged
from onnxfi.sampling._independent import IndependentSampler
from onnxfi.testing import CriterionSuite, MetricSuite, SamplerSuite


class TestIndependent(SamplerSuite):
    def samplers(self, seed):
        return [IndependentSampler(n=5, seed=seed)]


class TestSeveral(CriterionSuite):
    def criteria(self):
        return [SeveralChanged(), SeveralChanged(least=1)]


class TestLargest(MetricSuite):
    def metrics(self):
        return [LargestError(output="scores")]
"""


def test_the_suites_of_examples(package: Path):
    (code,) = re.findall(r"^```python\n(from onnxfi\.\S+ import NibbleFlip\n.*?)^```$", PAGE, FLAGS)
    (package / "test_nibble.py").write_text(code, encoding="utf-8")
    (package / "test_others.py").write_text(SUITES, encoding="utf-8")
    files = ("test_nibble.py", "test_others.py")
    assert " passed" in _run(package, "pytest", "-p", "no:cacheprovider", *files)


def test_plug_ins_of_the_docs_are_those_of_the_registries():
    done = subprocess.run(
        [sys.executable, "tools/make_plugins.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0)


def test_every_registry_is_on_the_page_of_plugins():
    made = re.compile(r"^([A-Z_]+): Registry\[", re.MULTILINE)
    names = {n for path in (ROOT / "onnxfi").rglob("*.py") for n in made.findall(path.read_text())}
    assert len(names) >= 7
    page = (ROOT / "docs/plugins.md").read_text()
    assert [name for name in sorted(names) if f".{name}`" not in page] == []
