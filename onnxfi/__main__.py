"""``python -m onnxfi``: the same as the program ``onnxfi``."""

from onnxfi.cli import main

if __name__ == "__main__":
    main()
