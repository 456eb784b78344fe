"""Calls as users write them, for the type checker alone: it is told what it must refuse.

``mypy --strict`` reports an ignore that nothing needs, so every line with one is refused indeed.
"""

from __future__ import annotations

import onnxfi as fi


def right() -> None:
    """What it must accept."""
    campaign = fi.Campaign.create(
        "runs/r8",
        model="r8.onnx",
        inputs={"image": [[1.0]]},
        targets=["weight"],
        fault_model=fi.BitFlip(),
        sampler=fi.UniformSampler(n=10, seed=1),
        state={"stateN": "state"},
        graph="deployed",
        timeout_s=None,
    )
    campaign.run(2, memory_limit="512MiB", stop=fi.StopRule(margin=0.01))
    fi.enumerate_sites("r8.onnx", targets=["weight"], batch_axes={"x": 1})
    fi.measure_sensitivity("r8.onnx", "random:8:0", tier=0, targets=["weight"], drop=0.1)


def wrong() -> None:
    """What it must refuse."""
    fi.Campaign.create(modle="r8.onnx", model="r8.onnx", inputs="x.npz")  # type: ignore[call-arg]
    fi.Campaign.create(model="r8.onnx")  # type: ignore[call-arg]
    fi.Campaign.create(model="r8.onnx", inputs="x.npz", drop="much")  # type: ignore[arg-type]
    fi.Campaign.create(model="r8.onnx", inputs="x.npz", graph="fused")  # type: ignore[arg-type]
    campaign = fi.Campaign.open("runs/r8")
    campaign.run(max_injection=1)  # type: ignore[call-arg]
    campaign.run(time_budget_s="1h")  # type: ignore[arg-type]
    fi.enumerate_sites("r8.onnx", target=["weight"])  # type: ignore[call-arg]
    fi.measure_sensitivity("r8.onnx", "x.npz", teir=0)  # type: ignore[call-arg]
