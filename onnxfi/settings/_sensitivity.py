"""How much is run to tell likely failures from unlikely ones."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from onnxfi.settings._schema import check_record

MOST_TIER = 1


class SensitivityOptions(msgspec.Struct, frozen=True, kw_only=True):
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

    Raises:
        ConfigError: A value is out of range.
    """

    tier: Annotated[
        int,
        Meta(
            description="0: rules alone, one run over the calibration samples. 1: probes, too, "
            "which shift channels and see what is lost; slower, and needed for integer and spiking "
            "networks.",
            ge=0,
            le=MOST_TIER,
            extra={"group": "effort"},
        ),
    ] = 1
    drop: Annotated[float, Meta(description="What a failing scenario loses.", gt=0, le=1)] = 0.05
    samples: Annotated[
        int,
        Meta(
            description="Calibrate on this many samples, the first ones of the inputs.",
            ge=1,
            extra={"group": "effort"},
        ),
    ] = 64
    max_channels: Annotated[
        int,
        Meta(
            description="Probe at most this many channels of a value.",
            ge=1,
            extra={"group": "effort"},
        ),
    ] = 16
    max_element_channels: Annotated[
        int,
        Meta(
            description="Probe at most this many channels of a value that is itself faulted.",
            ge=1,
            extra={"group": "more effort"},
        ),
    ] = 4
    kept_bytes: Annotated[
        int,
        Meta(
            description="Bytes of computed tensors that are kept at most.",
            ge=1,
            extra={"group": "more effort", "unit": "bytes"},
        ),
    ] = 512 * 1024 * 1024
    seed: Annotated[
        int, Meta(description="Seed of all draws.", ge=0, extra={"group": "effort"})
    ] = 0

    def __post_init__(self) -> None:
        check_record(self, "sensitivity options")
