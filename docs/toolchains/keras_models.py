"""Train a small classifier in Keras; export it with Keras itself and with tf2onnx."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
import tf2onnx

keras.utils.set_random_seed(1)
data = np.load("models/mnist_test1000.npz")
image, label = data["image"].transpose(0, 2, 3, 1), data["labels"]  # channels last
train, test = slice(0, 800), slice(800, 1000)

network = keras.Sequential(
    [
        keras.Input((28, 28, 1), name="image"),
        keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="conv"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, name="head"),
    ]
)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
network.compile("adam", loss, metrics=["accuracy"])
network.fit(image[train], label[train], epochs=20, verbose=0)
right = network.evaluate(image[test], label[test], verbose=0)[1]
print(f"{right:.3f} of the test images are right")

folder = Path("runs/toolchains")
folder.mkdir(parents=True, exist_ok=True)
network.export(folder / "keras.onnx", format="onnx", verbose=False)
signature = [tf.TensorSpec((None, 28, 28, 1), tf.float32, name="image")]
function = tf.function(lambda image: network(image, training=False), input_signature=signature)
tf2onnx.convert.from_function(
    function, signature, opset=17, output_path=str(folder / "tf2onnx.onnx")
)
np.savez(folder / "digits_nhwc.npz", image=image[test], labels=label[test])
