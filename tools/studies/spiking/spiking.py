"""Faults in spiking networks: by part of the neuron, by layer, by time step, and stuck neurons.

Runs campaigns on the spiking models of `models/` through the command line, each in a folder of its
own, so that the tool can be stopped and started again, and writes the figures, the plots and the
tables of `docs/spiking.md`.

    python tools/studies/spiking/spiking.py          # all networks
    python tools/studies/spiking/spiking.py --scale 0.1 --folder runs/try --docs runs/try
    python tools/studies/spiking/spiking.py --print  # the commands, nothing is run
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from spikestudy.campaigns import (
    NETWORKS,
    ROOT,
    Study,
    command,
    folder_of,
    reports,
    run,
    studies,
)
from spikestudy.figures import crowd_figure, part_figure, step_figure
from spikestudy.results import Result, result
from spikestudy.tables import tables

SAMPLES = 200


def workload(folder: Path, samples: int) -> Path:
    """The first test images, as a workload of their own."""
    path = folder / f"mnist{samples}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with np.load(ROOT / "models" / "mnist_test1000.npz") as data:
            np.savez(path, image=data["image"][:samples], labels=data["labels"][:samples])
    return path


def write(found: list[Result], docs: Path) -> None:
    """Write figures as JSON and plots, and print the tables."""
    text = json.dumps([asdict(each) for each in found], indent=1)
    (docs / "spiking.json").write_text(text + "\n", encoding="utf-8")
    plots = {"parts": part_figure, "steps": step_figure, "neurons": crowd_figure}
    for name, plot in plots.items():
        (docs / f"spiking-{name}.svg").write_text(plot(found), encoding="utf-8")
    print(tables(found))


def main() -> int:
    """Run what is not there yet, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [network.name for network in NETWORKS]
    parser.add_argument("--only", action="append", choices=names, help="may be repeated")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many scenarios")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="images a campaign runs on")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "spiking")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where figures go")
    parser.add_argument("--print", action="store_true", help="print the commands, run nothing")
    options = parser.parse_args()
    chosen = [network for network in NETWORKS if network.name in (options.only or names)]
    every: list[Study] = [each for network in chosen for each in studies(network, options.scale)]
    inputs = workload(options.folder, options.samples)
    folders = [folder_of(study, options.folder) for study in every]
    for number, (study, folder) in enumerate(zip(every, folders, strict=True), 1):
        if options.print:
            print(shlex.join(command(study, folder, inputs)))
            continue
        run(study, folder, inputs)
        where = f"{study.network.name}, {study.group} {study.key}"
        print(f"{number}/{len(every)} {where}", file=sys.stderr, flush=True)
    if not options.print:
        pairs = zip(every, reports(folders), strict=True)
        found = [result(study.network.name, study.group, study.key, told) for study, told in pairs]
        write(found, options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
