"""What every fault model must keep to, whoever wrote it."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxfi.bits import ElementType, format_of
from onnxfi.faults import (
    FAULT_MODELS,
    Columns,
    FaultGroup,
    FaultListHeader,
    FaultModel,
    FaultSite,
    FaultSpace,
    SampleLayout,
    Scenario,
    SiteKind,
    StoredWords,
    graphs_of,
    parse_fault_model,
    read_fault_list,
    write_fault_list,
)

_TYPES = (ElementType.FLOAT, ElementType.BFLOAT16, ElementType.INT8, ElementType.UINT4)
_SHAPES: tuple[tuple[int, ...], ...] = ((5,), (2, 3, 4), (1, 2, 3, 3))
_MOST = 40  # faults looked at in each site


class FaultModelSuite:
    """Tests of fault models; derive a class from it, and pytest runs them over yours.

    ::

        class TestSwap(FaultModelSuite):
            def models(self):
                return [Swap(), Swap(distance=3)]

    Each test goes over all models and over all sites that they apply to.
    """

    def models(self) -> Sequence[FaultModel]:
        """The models to test: with their defaults, and with each option."""
        raise NotImplementedError

    def sites(self) -> Sequence[FaultSite]:
        """Sites that the models are tried at: stored and computed, of many types and shapes."""
        stored = [site_of(kind, shape) for kind in _TYPES for shape in _SHAPES]
        stored.append(site_of(ElementType.FLOAT, ()))
        computed = [
            site_of(kind, (1, *shape), stored=False)
            for kind in (ElementType.FLOAT, ElementType.INT8)
            for shape in _SHAPES
        ]
        return [*stored, *computed]

    def test_says_what_it_is(self) -> None:
        """The class is a fault model, and says its name and help."""
        for model in self.models():
            assert isinstance(model, FaultModel), f"{model!r} lacks a part of a fault model"
            assert model.spec(), f"{model!r} has an empty text"
            if _registered(model):
                cls = FAULT_MODELS.get(_word(model))
                assert cls.help, f"{cls.__name__} says no help"
                assert not cls.help.endswith("."), f"the help of {cls.__name__} ends with a stop"

    def test_applies_somewhere(self) -> None:
        """Each model has faults at one of the sites at least."""
        for model in self.models():
            assert any(self._cases(model)), f"{model.spec()} applies to none of the sites"

    def test_text_reads_back(self) -> None:
        """The text of a registered model gives an equal one, with the same text."""
        for model in filter(_registered, self.models()):
            again = parse_fault_model(model.spec(), graphs=graphs_of([model]))
            assert again == model, f"{model.spec()!r} reads back as another model"
            assert again.spec() == model.spec(), f"{model.spec()!r} reads back as {again.spec()!r}"

    def test_survives_pickling(self) -> None:
        """A model travels to worker processes."""
        for model in self.models():
            copy = pickle.loads(pickle.dumps(model))  # noqa: S301  # made a moment ago
            assert copy == model, f"{model.spec()!r} is another model after pickling"

    def test_faults_fit_the_site(self) -> None:
        """Columns have the types promised; elements and masks are those of the site."""
        for model in self.models():
            for site, numbers in self._cases(model):
                columns, full = _columns(model, site, numbers), format_of(site.element).mask
                what = f"{model.spec()} at {site.name}"
                assert columns.owner.dtype == columns.index.dtype == np.int64, f"{what}: dtypes"
                assert columns.and_mask.dtype == columns.xor_mask.dtype == np.uint64, what
                assert (np.diff(columns.owner) >= 0).all(), f"{what}: owners do not ascend"
                assert set(columns.owner.tolist()) <= set(range(len(numbers))), what
                assert columns.index.min(initial=0) >= 0, f"{what}: a negative element"
                assert columns.index.max(initial=0) < _elements(site), f"{what}: element beyond"
                assert columns.and_mask.max(initial=0) <= full, f"{what}: a bit it has not"
                assert columns.xor_mask.max(initial=0) <= full, f"{what}: a bit it has not"

    def test_enumerable_models_draw_nothing(self) -> None:
        """A number of an enumerable model stands for one fault, whatever the generator."""
        for model in self.models():
            for site, numbers in self._cases(model):
                rng = np.random.default_rng(1)
                first = model.columns(site, numbers, rng)
                if model.enumerable:
                    fresh = np.random.default_rng(1).random()
                    assert rng.random() == fresh, f"{model.spec()} drew a number"
                second = model.columns(site, numbers, np.random.default_rng(1))
                assert _same(first, second), f"{model.spec()} at {site.name}: other faults"

    def test_order_of_numbers_does_not_matter(self) -> None:
        """Of an enumerable model, each number gives its fault in any company."""
        for model in (model for model in self.models() if model.enumerable):
            for site, numbers in self._cases(model):
                backwards = _columns(model, site, numbers[::-1].copy())
                columns = _columns(model, site, numbers)
                for position in {0, len(numbers) // 2, len(numbers) - 1}:
                    there = len(numbers) - 1 - position
                    same = _same(_row(columns, position), _row(backwards, there))
                    assert same, f"{model.spec()} at {site.name}: number {numbers[position]}"

    def test_numbers_are_found_again(self) -> None:
        """``number`` is the inverse of ``columns``, through the fault space as well."""
        for model in (model for model in self.models() if model.enumerable):
            for site, numbers in self._cases(model):
                space = FaultSpace([site], [model])
                for number, groups in zip(
                    numbers.tolist(), space.single_groups(numbers), strict=True
                ):
                    found = space.fault_number(groups)
                    assert found == number, f"{model.spec()} at {site.name}: {number} is {found}"

    def test_other_faults_have_no_number(self) -> None:
        """A fault that is none of the model's has no number: beyond the site, or none at all."""
        for model in self.models():
            for site, numbers in self._cases(model):
                columns = _columns(model, site, numbers[:1])
                beyond, nothing = _group(site, columns), _group(site, columns, rows=0)
                beyond = replace(beyond, index=beyond.index + _elements(site))
                what = f"{model.spec()} at {site.name} numbers a fault that is not its own"
                assert model.number(site, beyond) is None, f"{what}: {beyond}"
                assert model.number(site, nothing) is None, f"{what}: no fault at all"

    def test_faults_pass_through_files(self) -> None:
        """A fault list that is written reads back the same."""
        for model in self.models():
            rng = np.random.default_rng(2)
            sites, drawn = {}, []
            for site, numbers in self._cases(model):
                sites[site.name] = site
                space = FaultSpace([site], [model])
                drawn += [space.scenario_groups(numbers[[at]], rng) for at in (0, -1)]
            scenarios = tuple(
                Scenario(number=number, groups=groups) for number, groups in enumerate(drawn)
            )
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "faults.jsonl"
                header = FaultListHeader(fault_graphs=graphs_of([model]) or None)
                write_fault_list(path, header, scenarios, sites)
                again = read_fault_list(path, sites).scenarios
            assert again == scenarios, f"{model.spec()}: the file holds other faults"

    def _cases(self, model: FaultModel) -> Iterator[tuple[FaultSite, NDArray[np.int64]]]:
        """Sites that a model applies to, each with numbers of its faults from both ends."""
        for site in self.sites():
            count = model.variants(site)
            assert count >= 0, f"{model.spec()} at {site.name}: {count} faults"
            if count:
                ends = (*range(min(count, _MOST)), *range(max(count - 5, 0), count))
                yield site, np.unique(np.array(ends, dtype=np.int64))


def site_of(
    element: ElementType, shape: tuple[int, ...], *, stored: bool = True, seed: int = 0
) -> FaultSite:
    """A site that is in no model: a weight with random words, or an activation.

    Args:
        element: Type of its elements.
        shape: Its shape; the first axis of an activation is that of the samples.
        stored: Whether it is a weight.
        seed: Of its words.
    """
    name = f"{'w' if stored else 'x'}_{element.value}_{'x'.join(map(str, shape)) or 'scalar'}"

    def words(_: str) -> NDArray[np.uint64]:
        raw = np.random.default_rng(seed).integers(0, 2**63, int(np.prod(shape)), dtype=np.uint64)
        return raw & np.uint64(format_of(element).mask)

    return FaultSite(
        name=name,
        kind=SiteKind.WEIGHT if stored else SiteKind.ACTIVATION,
        element=element,
        node=f"{name}/node",
        op_type="Conv",
        layer=f"{name}/node",
        layout=SampleLayout(shape=shape, batch_axis=None if stored else 0),
        stored=StoredWords(words) if stored else None,
    )


def _elements(site: FaultSite) -> int:
    return site.layout.elements if site.layout is not None else 0


def _word(model: FaultModel) -> str:
    return model.spec().partition(":")[0]


def _registered(model: FaultModel) -> bool:
    """Whether the model's class is the one that its text leads to."""
    name = _word(model)
    return name in FAULT_MODELS and FAULT_MODELS.get(name) is type(model)


def _columns(model: FaultModel, site: FaultSite, numbers: NDArray[np.int64]) -> Columns:
    return model.columns(site, numbers, np.random.default_rng(0))


def _group(site: FaultSite, columns: Columns, rows: int | None = None) -> FaultGroup:
    """Rows of columns as a group: the first ones, or all of them."""
    return FaultGroup(
        site=site.name,
        index=columns.index[:rows],
        and_mask=columns.and_mask[:rows],
        xor_mask=columns.xor_mask[:rows],
        graph=columns.graph,
    )


def _row(columns: Columns, owner: int) -> Columns:
    """The rows of one number, as its only ones."""
    kept = columns.owner == owner
    return Columns(
        owner=np.zeros(int(kept.sum()), np.int64),
        index=columns.index[kept],
        and_mask=columns.and_mask[kept],
        xor_mask=columns.xor_mask[kept],
        sample=None if columns.sample is None else columns.sample[kept],
        graph=columns.graph,
    )


def _same(one: Columns, other: Columns) -> bool:
    pairs = [
        (one.owner, other.owner),
        (one.index, other.index),
        (one.and_mask, other.and_mask),
        (one.xor_mask, other.xor_mask),
    ]
    return one.graph == other.graph and all(np.array_equal(a, b) for a, b in pairs)
