"""Train three classifiers in scikit-learn and convert them with skl2onnx."""

from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

digits = load_digits()
pixels, label = digits.data.astype(np.float32), digits.target.astype(np.int64)
train, test = slice(0, 1400), slice(1400, None)

models = {
    "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "forest": RandomForestClassifier(n_estimators=20, max_depth=8, random_state=1),
    "mlp": MLPClassifier((32,), max_iter=300, random_state=1),
}
folder = Path("runs/toolchains")
folder.mkdir(parents=True, exist_ok=True)
for name, model in models.items():
    model.fit(pixels[train], label[train])
    print(f"{name}: {model.score(pixels[test], label[test]):.3f} of the test images are right")
    # Without zipmap the probabilities are a plain tensor, which a criterion can read as scores.
    converted = to_onnx(model, pixels[:1], options={"zipmap": False})
    (folder / f"sklearn_{name}.onnx").write_bytes(converted.SerializeToString())
np.savez(folder / "sklearn.npz", X=pixels[test], labels=label[test])
