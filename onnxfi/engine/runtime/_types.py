"""Element types of what a model computes, from onnxruntime where onnx knows no operator."""

from __future__ import annotations

from dataclasses import replace

from onnxfi.engine.runtime._session import Session
from onnxfi.engine.runtime._settings import EngineSettings
from onnxfi.errors import BackendError, UnsupportedModelError
from onnxfi.graph import Model, TensorSpec, asking, declare, untyped


def complete_types(model: Model, settings: EngineSettings | None = None) -> Model:
    """The model with the element types that onnx's inference leaves open.

    onnxruntime knows the types of all values once it has loaded a model. It is asked only about
    models in which something is open, and once for each control-flow body with such values.

    Args:
        model: The model.
        settings: How it is run; None for the defaults.

    Returns:
        The model itself where nothing is open. Values of a model that onnxruntime refuses, and of a
        body that reads a sequence from outside, stay as they are.
    """
    for path, names in untyped(model).items():
        asked = asking(model, path, names)
        told = None if asked is None else _told(asked, settings or EngineSettings())
        if asked is not None and told is not None:
            # What a body is fed is known by now, too.
            known = {spec.name: spec for spec in asked.inputs} | told
            model = declare(model, (known[name] for name in names if name in known), path)
    return model


def _told(model: Model, settings: EngineSettings) -> dict[str, TensorSpec] | None:
    """What a session says of a model's outputs; None if it can't be opened."""
    plain = replace(settings, provider="cpu", provider_options={}, stream=None, graph="stored")
    # Without optimisation a session starts fastest; some models load only with it, since it removes
    # operators that have no kernel, or have one on another provider only.
    as_run = replace(settings, stream=None, graph="stored")
    for each in (replace(plain, optimization="disabled"), as_run):
        try:
            return Session(model, each).specs
        except (BackendError, UnsupportedModelError):
            continue
    return None
