"""Files that are written whole or not at all."""

from onnxfi.files._atomic import atomic_file

__all__ = ["atomic_file"]
