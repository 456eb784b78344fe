"""Fault list files: JSON Lines with a header, one scenario a line, faults in columns.

In: files that the package or people wrote, and scenarios. Out: checked scenarios, one at a time;
files; and the fault space that a recipe's header describes.
"""

from typing import TYPE_CHECKING

from onnxfi.plugins import lazy_exports

if TYPE_CHECKING:
    from onnxfi.faults.lists._columns import COLUMNS, FaultColumn
    from onnxfi.faults.lists._header import FaultListHeader, check_space, recipe_space
    from onnxfi.faults.lists._listfile import (
        FaultList,
        open_fault_list,
        read_fault_list,
        scenario_document,
        write_fault_list,
    )
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "_columns": ["COLUMNS", "FaultColumn"],
            "_header": ["FaultListHeader", "check_space", "recipe_space"],
            "_listfile": [
                "FaultList",
                "open_fault_list",
                "read_fault_list",
                "scenario_document",
                "write_fault_list",
            ],
        },
    )

__all__ = [
    "COLUMNS",
    "FaultColumn",
    "FaultList",
    "FaultListHeader",
    "check_space",
    "open_fault_list",
    "read_fault_list",
    "recipe_space",
    "scenario_document",
    "write_fault_list",
]
