"""Opens sites of models on the CUDA provider and tells where nodes went and what was copied.

Runs in a process of its own, with the stand-ins in ``LD_LIBRARY_PATH``: cases as JSON on standard
input, findings as JSON on standard output. The sessions are the ones that the ports engine makes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
import onnx
from onnx import helper

from onnxfi.engine import EngineContext, EngineSettings, Session, Watchdog, open_workload, profile
from onnxfi.engine.engines.ports import Kept
from onnxfi.engine.engines.ports import _ports as ports
from onnxfi.engine.runtime import (
    DeviceMemory,
    DeviceTensor,
    Feed,
    Patch,
    Provider,
    device_memory,
    open_flipper,
)
from onnxfi.engine.runtime import _start as starting
from onnxfi.faults import FaultGroup, Scenario, enumerate_sites
from onnxfi.graph import Model, load
from onnxfi.inject import BatchWindow, instrument
from onnxfi.outcome import BoundCriterion, RunOutputs, Top1

MODELS = Path(__file__).resolve().parents[2] / "models"
LOG = Path(os.environ["STANDIN_LOG"])
SAMPLES = 8
Run: TypeAlias = Callable[[], RunOutputs]


def identity(element: str) -> Model:
    """``x -> t -> y`` for an element type."""
    number = onnx.TensorProto.DataType.Value(element)
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in ("xt", "ty")]
    x, y = (helper.make_tensor_value_info(name, number, ["n", 4]) for name in "xy")
    graph = helper.make_graph(nodes, "identity", [x], [y])
    opsets = [helper.make_opsetid("", 17)]
    return load(helper.make_model(graph, opset_imports=opsets, ir_version=10))


def context_of(case: Mapping[str, Any]) -> EngineContext:
    """Model, workload and the case's sites; profiled on the CPU, to be run on CUDA."""
    if "element" in case:
        model = identity(case["element"])
        dtype = model.inputs[0].element
        given: Any = {"x": np.zeros((SAMPLES, 4), helper.tensor_dtype_to_np_dtype(_number(dtype)))}
    else:
        model = load(MODELS / case["model"])
        given = MODELS / f"{'fashion' if 'fashion' in case['model'] else 'mnist'}_test1000.npz"
    workload = open_workload(model, given).take(SAMPLES)
    found = profile(model, workload, EngineSettings(batch_size=SAMPLES))
    table = enumerate_sites(model.index, model.inputs, model.outputs, found.layouts)
    chosen = [site for site in table.sites if site.kind.value == case["kind"]]
    return EngineContext(
        model=model,
        workload=workload,
        profile=found,
        settings=EngineSettings(
            provider="cuda", optimization=case.get("optimization", "all"), batch_size=SAMPLES
        ),
        sites=tuple(s for s in chosen if s.op_type in case.get("op_types", [s.op_type])),
        criterion=BoundCriterion(criterion=Top1(), output=model.outputs[0].name),
    )


def _number(element: Any) -> int:
    return int(onnx.TensorProto.DataType.Value(element.name))


def opened(context: EngineContext, scatter: str | None) -> tuple[Session, Run, Mapping[str, Feed]]:
    """A session with the sites open, a run with a fault in every sample of every site, its feeds.

    All is as the ports engine does it.
    """
    memory = device_memory(context.model, context.settings)
    assert memory is not None
    with patch("onnxfi.engine.engines.ports._ports.instrument", partial(_instrument, scatter)):
        model = ports.OpenModel(context, context.sites, Watchdog(), Kept(context, memory))
    window = BatchWindow(start=0, stop=SAMPLES, size=SAMPLES)
    groups = [
        FaultGroup(
            site=site.name,
            index=np.zeros(1, np.int64),
            and_mask=np.full(1, 2**64 - 1, np.uint64),
            xor_mask=np.ones(1, np.uint64),
            sample=None,
        )
        for site in context.sites
    ]
    armed = model.inputs.arm(Scenario(number=0, groups=tuple(groups)))

    def run() -> RunOutputs:
        batch = model.batches.batch(window.start, window.stop, window.size)
        with armed.fed(window) as extra:
            return model.session.run({**batch, **extra})

    with armed.fed(window) as extra:
        fed = {**model.batches.batch(window.start, window.stop, window.size), **extra}
    return model.session, run, fed


def _instrument(
    flavour: str | None, model: Model, sites: Any, *, scatter: str, graphs: Any = None
) -> Any:
    return instrument(model, sites, scatter=flavour or scatter, graphs=graphs)


def examine(case: Mapping[str, Any]) -> dict[str, Any]:
    """Start a session for a case, run it, and tell what happened in the second run."""
    context = context_of(case)
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "optimized.onnx"
        with patch("onnxfi.engine.runtime._start._options", partial(_observed, saved)):
            if case.get("open", True):
                session, run, feeds = opened(context, case.get("scatter"))
            else:
                session = Session(context.model, context.settings)
                feeds = context.workload.batch(0, SAMPLES, SAMPLES)
                run = partial(session.run, feeds)
        optimized = onnx.load(saved)
    run()
    LOG.write_text("")
    outputs = run()
    return {
        **_seen(),
        **_session(session),
        "memcpy": Counter(n.op_type for n in optimized.graph.node if "Memcpy" in n.op_type),
        "sites": {s.name: _bytes(s) for s in context.sites},
        "inputs": {n: feed.nbytes for n, feed in feeds.items() if isinstance(feed, np.ndarray)},
        "kept": {n: feed.nbytes for n, feed in feeds.items() if isinstance(feed, DeviceTensor)},
        "outputs": {name: values.nbytes for name, values in outputs.items()},
    }


def flip(size: int, faults: int) -> dict[str, Any]:
    """What the byte flipper does in its second run; no node may be on the CPU."""
    settings = EngineSettings(provider="cuda")
    memory = DeviceMemory(kind="cuda")
    with (
        patch("onnxfi.engine.runtime._start._options", _all_on_cuda),
        patch.object(Provider, "requested", lambda self: [(self.name, dict(self.options))]),
    ):
        flipper = open_flipper(settings, memory)
    before = np.arange(size, dtype=np.uint32).view(np.uint8)
    tensor = memory.put(before)
    assert isinstance(tensor, DeviceTensor)
    masks = np.zeros(faults, np.uint8)
    patched = Patch(offset=np.arange(faults, dtype=np.int64), and_mask=masks, xor_mask=masks)
    flipper.apply(tensor, patched)
    LOG.write_text("")
    flipper.apply(tensor, patched)
    assert flipper.session is not None
    return {**_seen(), **_session(flipper.session), "in_place": flipper.in_place}


def _seen() -> dict[str, Any]:
    """What the stand-ins have logged."""
    events = [line.split() for line in LOG.read_text().splitlines()]
    copies: dict[str, list[int]] = {"D2D": [], "H2D": [], "D2H": [], "ANY": [], "H2H": []}
    for kind, size in events:
        if kind in copies:
            copies[kind].append(int(size))
    return {
        "copies": {kind: sorted(sizes) for kind, sizes in copies.items()},
        "syncs": sum(kind == "SYNC" for kind, _ in events),
        "launches": sum(kind == "LAUNCH" for kind, _ in events),
    }


def _session(session: Session) -> dict[str, Any]:
    """Where the nodes of a session are, and what it was started with."""
    started = session._session
    placed = started.get_provider_graph_assignment_info()
    return {
        "nodes": [[n.name, n.op_type, part.ep_name] for part in placed for n in part.get_nodes()],
        "options": started.get_provider_options()["CUDAExecutionProvider"],
        "deterministic": started.get_session_options().use_deterministic_compute,
    }


def _bytes(site: Any) -> int:
    shape = site.layout.shape if site.kind.stored else site.layout.run_shape(SAMPLES)
    number = _number(site.element)
    return int(np.prod(shape)) * np.dtype(helper.tensor_dtype_to_np_dtype(number)).itemsize


_plain_options = starting._options


def _observed(saved: Path, settings: EngineSettings, folder: str | None) -> Any:
    options = _plain_options(settings, folder)
    options.optimized_model_filepath = str(saved)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _all_on_cuda(settings: EngineSettings, folder: str | None) -> Any:
    options = _plain_options(settings, folder)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return options


def probe(case: Mapping[str, Any]) -> dict[str, Any]:
    """What a case asks for; the flipper is taken to work if it asks for nothing else."""
    works = case.get("flipper works", True)
    with patch("onnxfi.engine.runtime._flipper.works", lambda *_: works):
        return flip(*case["flip"]) if "flip" in case else examine(case)


if __name__ == "__main__":
    json.dump([probe(case) for case in json.load(sys.stdin)], sys.stdout)
