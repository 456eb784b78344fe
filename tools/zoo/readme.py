"""Renders `models/README.md` from the cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.data import TEST_SLICE

_HEAD = """\
# Models

Small trained networks and the data to run them on, for tests, examples and measurements. This page
is written by `tools/make_models.py` from [`cards.json`](cards.json); edit neither by hand.

```
python -m venv .venv-models && . .venv-models/bin/activate
pip install -r tools/zoo/requirements.txt
pip install --no-deps -r tools/zoo/requirements-nodeps.txt
python tools/make_models.py                # fetches, trains, exports, quantises, prunes: 12 minutes
python tools/make_models.py --cards        # only re-measures the files and rewrites this page
python tools/make_models.py --evaluation F # the networks on which samplers are evaluated, into F
```

All models take `image` (float32, batch x 1 x 28 x 28, pixel / 255) and give `logits` (float32,
batch x 10); the batch axis is free. An npz holds `image` and `labels`, ready to be fed.
"""

_NOTES = """\
## How the accuracies are measured

`python tools/make_models.py --cards` runs each file on its data through onnxruntime {onnxruntime}'s
CPU provider, one thread, {batch} samples at a time, here on `{processor}`, and
`pytest tests/models` measures them again. Other instruction sets round differently, so the tests
allow two samples either way. On x86 without VNNI, onnxruntime's 8-bit kernels saturate
intermediate sums, which may cost the int8 files more.

All seeds are fixed and one thread is used, so a rerun on the same machine repeats every file byte
for byte; another processor may train to slightly different weights, and the cards then change with
the files. Calibration uses training images only; no test image has any influence on a model.

## What to know about the graphs

- Tensors carry module paths: `stage1.conv1.weight`, `/stage1/conv1/Conv_output_0`. In the static
  8-bit files the same weight is `stage1.conv1.weight_quantized` with `..._scale` and
  `..._zero_point` (one a channel), its bias is int32 (`stage1.conv1.bias_quantized`).
- The quantiser folds Relu into the activation ranges, so the static 8-bit files have no Relu node.
- All convolutions of the QDQ files run as QLinearConv in onnxruntime's optimised graph.
- The dynamic files find activation ranges over the whole batch, so a sample's logits depend on
  what it is batched with.
- onnxruntime's CPU provider runs the float16 files in float32: it casts the weights up, and takes
  the casts between nodes out, so activations are never rounded to float16 there.
- The pruned files have the shapes and names of the float32 ones; their smallest weights, of all
  weight tensors together, are zero (no bias is). What that does to their vulnerability:
  [pruned.md](../docs/pruned.md). onnxruntime makes the sparse initializers dense when it loads
  them; `onnx.checker` takes them, but not with `full_check`, whose shape inference knows no sparse
  weights, and `onnx.reference` does not read them.
- The spiking networks turn a pixel into a spike train inside the graph (a pixel p fires in step t
  when floor(p * (t + 1)) > floor(p * t)) and are unrolled over 8 steps; each weight is one
  initializer that 8 nodes use. Step t of a layer has the suffix `_t` (`/conv1_3/Conv` is the fourth
  step). A spike is the output of Greater(OrEqual) and Cast. Logits are the readout's mean over the
  steps. Membranes cross thresholds, so where rounding differs a spike may appear or vanish.
- `snn_snntorch_mnist_loop.onnx` has the weights of `snn_snntorch_mnist.onnx` and, bit for bit, its
  answers; its steps are iterations of a Loop (`tools/zoo/looped.py`).

## Licences

The models were trained here and are under the project's licence. The data keep their own:

"""

_NOTICES = """
`mnist_test1000.npz` holds the pictures as float32 (pixel / 255) and is shared under the same
licence as its source, <https://creativecommons.org/licenses/by-sa/3.0/>.

The notice that goes with Fashion-MNIST:

> The MIT License (MIT). Copyright (c) 2017 Zalando SE, https://tech.zalando.com
>
> Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
> associated documentation files (the "Software"), to deal in the Software without restriction,
> including without limitation the rights to use, copy, modify, merge, publish, distribute,
> sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
> furnished to do so, subject to the following conditions:
>
> The above copyright notice and this permission notice shall be included in all copies or
> substantial portions of the Software.
>
> THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
> NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
> NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
> DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
> OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def write_readme(folder: Path, cards: dict[str, Any]) -> None:
    """Write the page beside the cards."""
    parts = [_HEAD, "## Models\n", _model_table(cards), _sums("Model", cards["models"])]
    parts += ["## Data\n", _data_table(cards), _sums("Data", cards["data"])]
    facts = {key: cards[key] for key in ("onnxruntime", "processor", "batch")}
    text = "\n".join(parts) + "\n" + _NOTES.format(**facts) + _licences(cards) + _NOTICES
    (folder / "README.md").write_text(text, encoding="utf-8")


def _model_table(cards: dict[str, Any]) -> str:
    rows = ["| file | network | how made | accuracy | parameters | bytes | nodes | opset | IR |"]
    rows.append("|---|---|---|---:|---:|---:|---:|---|---:|")
    for name, card in cards["models"].items():
        opsets = ", ".join(f"{domain} {version}" for domain, version in card["opset"].items())
        cells = [
            f"`{name}`",
            card["network"],
            card["made"],
            f"{card['accuracy']:.1%}",
            f"{card['parameters']:,}",
            f"{card['bytes']:,}",
            str(card["nodes"]),
            opsets.replace("ai.onnx ", ""),
            str(card["ir_version"]),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + f"\n\nAccuracy is over {TEST_SLICE:,} test images.\n"


def _data_table(cards: dict[str, Any]) -> str:
    rows = ["| file | what | bytes | arrays |", "|---|---|---:|---|"]
    for name, card in cards["data"].items():
        arrays = "; ".join(
            f"`{key}` {kind} {' x '.join(map(str, shape))}"
            for key, (kind, *shape) in card["arrays"].items()
        )
        rows.append(f"| `{name}` | {card['what']} | {card['bytes']:,} | {arrays} |")
    return "\n".join(rows) + "\n"


def _sums(title: str, cards: dict[str, Any]) -> str:
    """The digests in the form that `sha256sum --check` reads."""
    lines = "\n".join(f"{card['sha256']}  {name}" for name, card in cards.items())
    return f"{title} digests (sha256):\n\n```\n{lines}\n```\n"


def _licences(cards: dict[str, Any]) -> str:
    lines = [
        f"- `{name}`: {card['what']}, from the {card['source']}. Licence: {card['licence']}."
        for name, card in cards["data"].items()
    ]
    return "\n".join(lines) + "\n"
