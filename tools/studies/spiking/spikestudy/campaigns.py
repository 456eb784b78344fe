"""The campaigns of the study: which faults, and how they are run and read through `onnxfi`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
STEPS = 8
PARTS = ("synapse", "threshold", "decay", "current", "membrane", "reset", "spike")
_STORED = ("synapse", "threshold", "decay")
_FEW = 25
"""Scenarios where there are only some dozens of faults."""
CROWDS = (16, 64, 256, 1024)
"""How many neurons are stuck at once."""
#: Bits that a float's size and sign depend on; the others hardly ever change an answer.
_BITS = ("--bits", "sign,exponent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A model of the study.

    Attributes:
        name: What it is called here.
        file: The model.
        layers: Globs of its layers of neurons and of weights.
        looped: Whether its steps are iterations of a Loop.
    """

    name: str
    file: str
    neurons: tuple[str, str]
    looped: bool = False


NETWORKS = (
    Network(
        name="snntorch",
        file="models/snn_snntorch_mnist.onnx",
        neurons=("/lif1*", "/lif2*"),
    ),
    Network(
        name="spikingjelly",
        file="models/snn_spikingjelly_mnist.onnx",
        neurons=("/lif1*", "/lif2*"),
    ),
    Network(
        name="snntorch in a Loop",
        file="models/snn_snntorch_mnist_loop.onnx",
        neurons=("time/body/lif1*", "time/body/lif2*"),
        looped=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One campaign.

    Attributes:
        network: Its model.
        group: What it is compared within: `part`, `layer`, `step`, `dead`, `saturated`, ...
        key: Its place there.
        options: Options of `onnxfi run`, beside model and inputs.
    """

    network: Network
    group: str
    key: str
    options: tuple[str, ...]


def studies(network: Network, scale: float) -> Iterator[Study]:
    """All campaigns on a network, with `scale` times as many scenarios."""

    def study(group: str, key: str, *options: str, n: int) -> Study:
        # A Loop is run as a whole for every fault.
        part = scale / 2 if network.looped and n > _FEW else scale
        size = ("-n", str(max(round(n * part), 1)))
        return Study(network=network, group=group, key=key, options=(*options, *size))

    # A loop's sites are in every iteration unless one is chosen.
    one_step = ("--step", f"0-{STEPS - 1}") if network.looped else ()
    for part in PARTS:
        if part in _STORED:
            yield study(
                "part",
                part,
                "--targets",
                "weight,bias,constant",
                "--part",
                part,
                *_BITS,
                n=150 if part == "synapse" else _FEW,
            )
        else:
            targets = ("--targets", "activation")
            yield study("part", part, *targets, "--part", part, *one_step, *_BITS, n=150)
    for layer in ("conv1", "conv2", "readout"):
        targets = ("--targets", "weight,bias", "--include", f"{layer}.*")
        yield study("layer", layer, *targets, *_BITS, n=150)
    for step in range(STEPS):
        chosen = (
            "--targets",
            "activation",
            "--part",
            "current,membrane,spike",
            "--step",
            str(step),
        )
        yield study("step", str(step), *chosen, *_BITS, n=100)
    stuck = ("--targets", "activation", "--part", "spike", "--op-type", "Cast", "--over-steps")
    spikes = () if network.looped else ("--spikes",)
    for word, value in (("dead", "0"), ("saturated", "1")):
        model = ("--fault-model", f"set:{value}")
        for layer, glob in zip(("lif1", "lif2"), network.neurons, strict=True):
            yield study(word, layer, *stuck, *model, "--include", glob, *spikes, n=160)
        if not network.looped:
            for crowd in CROWDS:
                together = ("--faults-per-scenario", str(crowd))
                yield study(f"{word} crowd", str(crowd), *stuck, *model, *together, n=30)


def command(study: Study, folder: Path, inputs: Path) -> list[str]:
    """The command line of a campaign."""
    return [
        *("onnxfi", "run", str(folder), "--model", study.network.file),
        *("--inputs", str(inputs), "--drop", "0.01", "--seed", "1", *study.options),
    ]


def run(study: Study, folder: Path, inputs: Path) -> None:
    """Run or resume a campaign."""
    _onnxfi([*command(study, folder, inputs), "--quiet"])


def reports(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """The reports of finished campaigns."""
    text = _onnxfi(["onnxfi", "report", *map(str, folders), "--json"])
    found: list[dict[str, Any]] = json.loads(text)["campaigns"]
    return found


def folder_of(study: Study, base: Path) -> Path:
    """Where a campaign is kept."""
    words = (study.network.name, study.group, study.key)
    return base.joinpath(*(word.replace(" ", "_") for word in words))


def _onnxfi(words: list[str]) -> str:
    """Run the real command in a process of its own; its settings come from the words alone."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ONNXFI_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name(words[0])), *words[1:]],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
    return done.stdout
