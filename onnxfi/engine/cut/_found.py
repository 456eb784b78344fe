"""Found: what deviates from golden in the runs of some scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxfi.engine.cut._joined import Joined, joined_keys
from onnxfi.engine.cut._rows import Rows, entries_of, value_of, with_rows
from onnxfi.engine.cut._start import Common
from onnxfi.outcome import OutputRows, RunOutputs

_NO_KEYS = np.empty(0, np.int64)


class Found:
    """What deviates from golden in the runs of some scenarios.

    Args:
        common: What they have in common.
        tables: Rows that may differ, by value.
        wholes: Values that can't be told apart by sample and differ, by name and scenario.
    """

    def __init__(
        self,
        common: Common,
        tables: Mapping[str, Rows],
        wholes: Mapping[str, Mapping[int, NDArray[Any]]],
    ) -> None:
        self._common = common
        self.tables = tables
        self.wholes = wholes

    @property
    def golden(self) -> RunOutputs:
        """Golden outputs."""
        return {name: self._common.golden[name] for name in self._common.chain.outputs}

    def value(self, name: str, scenario: int) -> NDArray[Any]:
        """A value of a scenario; the golden array itself where nothing differs."""
        common = self._common
        golden = common.golden[name]
        whole = self.wholes.get(name, {}).get(scenario)
        if whole is not None:
            return whole
        table = self.tables.get(name)
        if table is None:
            return golden
        return with_rows(golden, common.chain.layouts[name], table, scenario, common.window.size)

    def outputs(self, scenario: int) -> RunOutputs:
        """All outputs of a scenario."""
        return {name: self.value(name, scenario) for name in self._common.chain.outputs}

    def rows(self) -> OutputRows | None:
        """Outputs in the samples where some may differ; None if they can't be told apart so."""
        common = self._common
        chain, size = common.chain, common.window.size
        layouts = {name: chain.layouts[name] for name in chain.outputs}
        apart = chain.separable and all(each.batch_axis is not None for each in layouts.values())
        if not apart or any(name in self.wholes for name in layouts):
            return None
        tables = {name: self.tables[name] for name in layouts if name in self.tables}
        keys = joined_keys(list(tables.values()), _NO_KEYS) if tables else _NO_KEYS
        keys = keys[keys % size < common.window.samples]
        clean = {name: entries_of(common.golden[name], layouts[name]) for name in layouts}
        samples = keys % size
        joined = Joined(keys, size, layouts, clean, tables)
        golden = {name: value_of(clean[name][samples], layouts[name]) for name in layouts}
        return OutputRows(
            scenario=keys // size,
            sample=samples,
            golden=golden,
            faulty=joined.feeds(0, keys.size, keys.size) if keys.size else golden,
            whole=self.golden,
        )
