"""What gradient methods know of a model, kept in a file, so that comparing needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxfi.errors import ConfigError
from onnxfi.files import atomic_file

ByName = Mapping[str, NDArray[np.float64]]
_MODEL = "model_sha256"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gradients:
    """Sensitivities by gradient, of calibration images.

    Attributes:
        model_sha256: Of the model file.
        output: By stored site, of each element, the sum over samples and classes of the derivative
            of the output in it (ISimDL's sensitivity of weights), signed.
        conductance: By computed site, of each element of a sample, the mean over samples of its
            layer conductance (ISimDL's sensitivity of neurons), signed.
        loss: By stored site, the derivative of the mean loss.
        loss_size: By stored site, the mean over samples of the size of that derivative.
        taylor: By computed site (elements, width), the mean over samples of the size of the
            derivative of the loss times what a flip changes.
    """

    model_sha256: str
    output: ByName = field(default_factory=dict)
    conductance: ByName = field(default_factory=dict)
    loss: ByName = field(default_factory=dict)
    loss_size: ByName = field(default_factory=dict)
    taylor: ByName = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write to a compressed ``.npz``."""
        arrays = {
            f"{kind}:{name}": array
            for kind in _kinds()
            for name, array in getattr(self, kind).items()
        }
        with atomic_file(path) as file:
            np.savez_compressed(file, **{_MODEL: np.array(self.model_sha256), **arrays})

    @classmethod
    def read(cls, path: Path, model_sha256: str) -> Gradients:
        """Read what :meth:`write` has written.

        Raises:
            ConfigError: There is no such file, or it is about another model.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                found = {name: data[name] for name in data.files}
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"gradients {str(path)!r} can't be read ({error}); make them with"
                " tools/studies/sampling/eval_gradients.py"
            ) from None
        about = str(found.pop(_MODEL, ""))
        if about != model_sha256:
            raise ConfigError(
                f"gradients {str(path)!r} are of another model (sha256 {about[:12]}, expected"
                f" {model_sha256[:12]}); make them again with eval_gradients.py"
            )
        kinds: dict[str, dict[str, NDArray[np.float64]]] = {kind: {} for kind in _kinds()}
        for key, array in found.items():
            kind, _, name = key.partition(":")
            kinds[kind][name] = array.astype(np.float64)
        return cls(model_sha256=model_sha256, **kinds)


def _kinds() -> list[str]:
    return [each.name for each in fields(Gradients) if each.name != _MODEL]
