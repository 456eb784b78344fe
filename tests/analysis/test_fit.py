from __future__ import annotations

import pytest

from onnxfi.analysis import failure_rate, failures_in_time
from onnxfi.errors import ConfigError


def test_failures_in_time_scale_the_rate_by_all_upsets():
    rate = failure_rate(20, 1000)
    found = failures_in_time(rate, 8_000_000, 500.0)
    assert found.value == pytest.approx(0.02 * 8 * 500)
    assert found.low == pytest.approx(rate.low * 4000)
    assert found.high == pytest.approx(rate.high * 4000)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("inf"), float("nan")])
def test_upset_rates_that_are_none(bad):
    with pytest.raises(ConfigError, match="above 0"):
        failures_in_time(failure_rate(1, 10), 100, bad)
