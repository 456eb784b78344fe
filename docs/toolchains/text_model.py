"""Write a model as text: in which quadrant does a point lie?"""

from pathlib import Path

import numpy as np
import onnx.parser

TEXT = """
<ir_version: 10, opset_import: ["" : 20]>
quadrants (float[batch, 2] point) => (float[batch, 4] score)
    <float[2, 4] direction = {1, -1, -1, 1, 1, 1, -1, -1}, float[4] offset = {0, 0, 0, 0}>
{
    score = Gemm(point, direction, offset)
}
"""

folder = Path("runs/toolchains")
folder.mkdir(parents=True, exist_ok=True)
model = onnx.parser.parse_model(TEXT)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, folder / "text.onnx")

point = np.random.default_rng(1).uniform(-1, 1, (200, 2)).astype(np.float32)
x, y = point.T
labels = np.select([(x > 0) & (y > 0), (x < 0) & (y > 0), (x < 0) & (y < 0)], [0, 1, 2], 3)
np.savez(folder / "points.npz", point=point, labels=labels)
