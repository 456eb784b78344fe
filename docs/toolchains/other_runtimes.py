"""Run a faulty model in onnxruntime, in onnx.reference and in OpenVINO."""

import sys

import numpy as np
import onnxruntime
import openvino
from onnx.reference import ReferenceEvaluator

model = sys.argv[1]
image = np.load("models/mnist_test1000.npz")["image"][:20]

compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
scores = {
    "onnxruntime": onnxruntime.InferenceSession(model).run(None, {"image": image})[0],
    "onnx.reference": ReferenceEvaluator(model).run(None, {"image": image})[0],
    "openvino": compiled([image])[0],
}
decisions = {name: found.argmax(axis=1).tolist() for name, found in scores.items()}
for name, found in decisions.items():
    print(f"{name:15s} decides {found}")
sys.exit(len(set(map(tuple, decisions.values()))) - 1)
