"""Shared by the tests of graph/: models from ONNX text, and running them."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, parser

import onnxfi.graph as graph

Run = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def parse() -> Callable[..., ModelProto]:
    """Build a model from ONNX text; the header is written here."""

    def build(
        text: str, opset: int = 17, ir_version: int = 10, imports: Mapping[str, int] | None = None
    ) -> ModelProto:
        domains = {"": opset, **(imports or {})}
        listed = ", ".join(f'"{domain}": {version}' for domain, version in domains.items())
        return parser.parse_model(f"<ir_version: {ir_version}, opset_import: [{listed}]>\n{text}")

    return build


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a model (path, message or Model) on one thread and give its outputs."""

    def call(
        model: str | os.PathLike[str] | ModelProto | graph.Model,
        feeds: Mapping[str, NDArray[Any]],
        outputs: list[str] | None = None,
        optimize: bool = False,
    ) -> list[Any]:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        if not optimize:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        source: Any = model
        if isinstance(model, graph.Model):
            serialized = graph.serialize(model)
            source = serialized.data
            if serialized.folder is not None:
                options.add_session_config_entry(
                    "session.model_external_initializers_file_folder_path", str(serialized.folder)
                )
        elif isinstance(model, ModelProto):
            source = model.SerializeToString()
        session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        return session.run(outputs, dict(feeds))

    return call


@pytest.fixture(scope="session")
def same() -> Callable[[list[Any], list[Any]], bool]:
    """Whether two lists of outputs are equal bit for bit."""

    def equal(ours: list[Any], theirs: list[Any]) -> bool:
        if len(ours) != len(theirs):
            return False
        for one, other in zip(ours, theirs, strict=True):
            if isinstance(one, np.ndarray):
                alike = one.dtype == other.dtype and one.shape == other.shape
                if not alike or one.tobytes() != other.tobytes():
                    return False
            elif one != other:
                return False
        return True

    return equal


@pytest.fixture(scope="session")
def identities() -> Callable[[graph.Model, list[str]], graph.Model]:
    """Put an Identity on each of some values."""

    def put(model: graph.Model, values: list[str]) -> graph.Model:
        prefix = graph.unique_prefix(model)
        groups = []
        for value in values:
            ends = graph.endpoints(model, value)
            node = graph.NodeSpec(
                op_type="Identity",
                name=f"{prefix}{value}/identity",
                inputs=(ends.clean,),
                outputs=(ends.faulty,),
            )
            groups.append(graph.NodeGroup(value=value, nodes=(node,)))
        return graph.insert(model, groups)

    return put


@pytest.fixture
def external(tmp_path: Path, parse: Callable[..., ModelProto]) -> Callable[..., Path]:
    """Write a model whose weight ``w`` (float32, 0 1 2 3) lies in an external file."""

    def write(location: str = "w.bin", make: bool = True, **entries: object) -> Path:
        proto = parse(
            "agraph (float[4] x) => (float[4] y) <float[4] w = {9, 9, 9, 9}> { y = Add(x, w) }"
        )
        tensor = proto.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = tensor.EXTERNAL
        for key, value in {"location": location, "offset": 0, "length": 16, **entries}.items():
            if value is not None:
                tensor.external_data.add(key=key, value=str(value))
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        if make:
            np.arange(4, dtype=np.float32).tofile(folder / location)
        path = folder / "m.onnx"
        path.write_bytes(proto.SerializeToString())
        return path

    return write
