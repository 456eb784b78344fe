"""The comparison of pruned networks: its groups, its tables, and the page with its figures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import msgspec
import pytest
from pruning.measure import Effort, Measured, Subject, measure
from pruning.table import markdown

ROOT = Path(__file__).resolve().parents[4]
EFFORT = Effort(single=40, scenarios=3, rates=(1e-5,), workers=1)


def _subject(variant: str, *targets: str) -> Subject:
    return Subject(
        name=variant,
        network="LeNet-5",
        model=ROOT / "models" / f"lenet5_mnist_{variant}.onnx",
        inputs=ROOT / "models" / "mnist_test1000.npz",
        targets=targets,
    )


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("pruned")
    return measure(_subject("pruned90", "weight", "bias"), EFFORT, folder)


def test_flips_are_split_by_the_number_that_they_hit(pruned):
    groups = {group.name: group for group in pruned.groups}
    zeros, others = groups["a zero"], groups["another number"]
    assert zeros.n + others.n == 40
    assert zeros.n > others.n
    whole = zeros.n * zeros.failure[0] + others.n * others.failure[0]
    assert whole == pytest.approx(40 * pruned.failure[0])


def test_rates_lie_in_their_intervals(pruned):
    for value, low, high in (pruned.failure, pruned.critical_share, pruned.points[0].accuracy):
        assert 0 <= low <= value <= high <= 1
    assert pruned.bits == 61_706 * 32
    assert pruned.points[0].flips == pytest.approx(1e-5 * pruned.bits)


@pytest.mark.heavy
def test_the_sparse_form_stores_values_and_indices_and_no_zeros(tmp_path):
    values = measure(_subject("pruned90_sparse", "weight", "bias"), EFFORT, tmp_path)
    assert [group.name for group in values.groups if "a zero" in group.name] == []
    indices = measure(_subject("pruned90_sparse", "sparse_index"), EFFORT, tmp_path)
    assert indices.due_share[0] > 0.5, "most bits of an index lead out of the tensor"


def _kept() -> list[Measured]:
    stored = json.loads((ROOT / "docs" / "pruned.json").read_text(encoding="utf-8"))
    return [msgspec.convert(each, Measured) for each in stored]


def test_the_page_shows_the_figures_that_are_kept():
    assert markdown(_kept()) in (ROOT / "docs" / "pruned.md").read_text(encoding="utf-8")


def test_the_figures_are_of_the_files_that_are_there():
    cards = json.loads((ROOT / "models" / "cards.json").read_text(encoding="utf-8"))["models"]
    for each in _kept():
        assert each.golden == pytest.approx(cards[each.model]["accuracy"], abs=0.0021)


def test_new_tables_take_the_place_of_the_old(tmp_path):
    spec = importlib.util.spec_from_file_location(
        "pruned_tool", ROOT / "tools" / "studies" / "pruned" / "pruned.py"
    )
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{tool.BEGIN}\n\nold\n\n{tool.END}\n\nafter\n")
    for _ in range(2):
        tool.into_page(page, "new")
    assert page.read_text() == f"before\n\n{tool.BEGIN}\n\nnew\n\n{tool.END}\n\nafter\n"
