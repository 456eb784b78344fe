"""Settings: everything that a user can choose, declared once.

Each setting is one annotated field of a record: its type, default, unit, help and spelling. From
these records follow ``campaign.json``, the options of the command line, the keys of ``--config``
files, environment variables, the keyword arguments of the API, and ``docs/settings.md``. What goes
out are the records, checked, and an :class:`onnxfi.plugins.Option` for each field, which describes
it to whatever shows it.
"""

from onnxfi.settings._campaign import (
    CampaignSettings,
    absolute,
    absolute_paths,
    check_settings,
)
from onnxfi.settings._run import ExecutorFactory, RunOptions, StopRule
from onnxfi.settings._schema import (
    bounds_of,
    check_record,
    keyword_of,
    settings_of,
    usual_text,
)
from onnxfi.settings._sensitivity import SensitivityOptions
from onnxfi.settings._units import parse_duration, parse_size

__all__ = [
    "CampaignSettings",
    "ExecutorFactory",
    "RunOptions",
    "SensitivityOptions",
    "StopRule",
    "absolute",
    "absolute_paths",
    "bounds_of",
    "check_record",
    "check_settings",
    "keyword_of",
    "parse_duration",
    "parse_size",
    "settings_of",
    "usual_text",
]
