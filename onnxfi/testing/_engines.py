"""What every engine must keep to, whoever wrote it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from onnxfi.campaign import OpenCampaign, export_rows, resume_or_create, run_campaign
from onnxfi.engine import ENGINES
from onnxfi.settings import CampaignSettings, RunOptions

_MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
tiny (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] weights = {1, 0.5, -1, 2, 0.25, 1, -0.5, 1, 3, 1, -2, 0.75}>
{ raw = MatMul (x, weights) y = Relu (raw) }
"""
_REFERENCE = "bake"
#: Columns that say when and where a row was made.
_INCIDENTAL = ("run_s", "worker", "finished_at")


class EngineSuite:
    """Tests of an engine; derive a class from it, and pytest runs them over yours.

    The engine must be registered: ours are, others by ``ENGINES.register`` or an entry point.

    ::

        class TestMine(EngineSuite):
            name = "mine"
            targets = ("weight", "activation")
    """

    #: The engine's name.
    name: str
    #: Kinds of site that it can fault, of a small network of two layers.
    targets: tuple[str, ...] = ("weight",)

    def test_says_what_it_is(self) -> None:
        """A class with a name and a help text, and its abilities as booleans."""
        kind = ENGINES.get(self.name)
        assert kind.name == self.name
        assert kind.help
        abilities = ("one_sample", "several_sites", "one_step", "sequences", "graphs")
        assert all(isinstance(getattr(kind, ability), bool) for ability in abilities)

    @pytest.mark.parametrize("drawn", ["uniform", "several faults"])
    def test_rows_are_those_of_the_reference(self, drawn: str) -> None:
        """With optimisation disabled, all four outcomes of every scenario are those of `bake`."""
        with _campaigns(drawn, self.targets) as made:
            assert _rows(made(self.name)) == _rows(made(_REFERENCE))

    def test_rows_do_not_depend_on_interruptions(self) -> None:
        """A campaign that is stopped again and again has the rows of one that is not."""
        with _campaigns("uniform", self.targets) as made:
            broken = made(self.name, suffix="-broken")
            while run_campaign(broken, RunOptions(max_injections=7)).stopped:
                pass
            assert _rows(broken) == _rows(made(self.name))


@contextmanager
def _campaigns(drawn: str, targets: tuple[str, ...]) -> Iterator[Any]:
    """Makes the same small campaign for any engine."""
    several = 6 if drawn == "several faults" else 1
    sampler = {"kind": "uniform", "n": 24, "seed": 1, "faults_per_scenario": several}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "tiny.onnxtxt"
        model.write_text(_MODEL, encoding="utf-8")

        def made(engine: str, suffix: str = "") -> OpenCampaign:
            settings = CampaignSettings(
                model=str(model),
                inputs="random:4:0",
                targets=targets,
                sampler=sampler,
                engine=engine,
                optimization="disabled",
            )
            return resume_or_create(folder / f"{engine}{suffix}", settings)

        yield made


def _rows(campaign: OpenCampaign) -> list[dict[str, Any]]:
    """What a campaign stores once it has run, but for when and where."""
    run_campaign(campaign)
    return [
        {name: value for name, value in row.items() if name not in _INCIDENTAL}
        for row in export_rows(campaign)
    ]
