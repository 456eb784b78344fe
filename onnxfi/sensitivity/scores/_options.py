"""How a sensitivity is measured: what the user chooses."""

from __future__ import annotations

from dataclasses import dataclass

from onnxfi.errors import ConfigError

MOST_TIER = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityOptions:
    """How much is run to tell likely failures from unlikely ones.

    Attributes:
        tier: 0 for rules alone: nothing but a fault-free run; 1 for probes, which shift channels
            and see what is lost.
        drop: What a failing scenario loses: relative drop of the accuracy, without labels share of
            failed samples; above 0, at most 1.
        samples: Calibration samples: the first ones of the inputs, all where there are fewer.
        max_channels: Channels probed of a value that faults in stored tensors shift.
        max_element_channels: Channels probed of a value that is itself faulted.
        kept_bytes: Words of computed tensors that are kept at most.
        seed: Of all choices that are made at random.
    """

    tier: int = 1
    drop: float = 0.05
    samples: int = 64
    max_channels: int = 16
    max_element_channels: int = 4
    kept_bytes: int = 512 * 1024 * 1024
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tier not in range(MOST_TIER + 1):
            raise ConfigError(f"tier is {self.tier}, expected 0 (rules) or 1 (probes)")
        if not 0 < self.drop <= 1:
            raise ConfigError(f"drop is {self.drop}, expected a number above 0 and at most 1")
        for name in ("samples", "max_channels", "max_element_channels", "kept_bytes"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected at least 1")
        if self.seed < 0:
            raise ConfigError(f"seed is {self.seed}, expected 0 or more")
