"""Gradients of a model, for the methods that the sensitivity scores are compared with.

Runs an .onnx file in torch (`pip install torch==2.13.0`), makes sure that it answers as onnxruntime
does, and keeps ISimDL's sensitivities (arXiv 2303.08035) and the derivatives of the loss in a file.
Samplers are compared from that file, without torch. Images are the last ones of a workload;
ISimDL's are one batch of 32 of them.

    python tools/studies/sampling/eval_gradients.py MODEL.onnx --inputs IMAGES.npz -o runs/gradients
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from onnxfi.errors import MissingExtraError, OnnxFIError

CALIBRATION = 64


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+", help="files that share a workload")
    parser.add_argument("--inputs", type=Path, required=True, help=".npz with labels")
    parser.add_argument("--last", type=int, default=CALIBRATION, help="images, from the end")
    parser.add_argument("--only", choices=("weight", "activation"), help="kind of sites")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for MODEL.npz")
    return parser.parse_args()


def main() -> int:
    """Write one file a model."""
    options = _arguments()
    kinds = (options.only,) if options.only else ("weight", "activation")
    try:
        if find_spec("torch") is None:
            raise MissingExtraError("gradients need torch; install it: pip install torch==2.13.0")
        from evaluation.measured import measure

        for model in options.models:
            path = options.output / f"{model.stem}.npz"
            found, differs = measure(model, options.inputs, options.last, kinds)
            options.output.mkdir(parents=True, exist_ok=True)
            found.write(path)
            print(f"{path}: differs from onnxruntime by {differs:.2g} at most")
    except OnnxFIError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
