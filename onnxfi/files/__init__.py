"""Files that are written whole or not at all.

In: a path, and what the caller writes to the opened file, bytes or text. Out: the whole new file
under that path, synced to the disk, or the old one as it was.
"""

from onnxfi.files._atomic import atomic_file, atomic_text

__all__ = ["atomic_file", "atomic_text"]
