"""Builds stand-ins for the libraries that onnxruntime's CUDA provider needs, with gcc.

``python build.py LIBRARY FOLDER GCC``, where LIBRARY is the provider's shared object.
"""

from __future__ import annotations

import mmap
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from elf import Wants, wants

HERE = Path(__file__).parent
CUDNN = "libcudnn.so.9"
_NVIDIA = re.compile(r"lib(cu|nv)")
# The driver's symbols carry no version, so they can't be told from onnxruntime's own by it.
_DRIVER = re.compile(r"cu[A-Z]")
# cuDNN is loaded by name, and so are its functions: their names are strings of the library.
_CUDNN_NAME = re.compile(rb"\0(cudnn[A-Z][A-Za-z0-9_]*)(?=\0)")


def build(library: Path, folder: Path, gcc: str) -> None:
    """Compile one shared object for each NVIDIA library that is asked for."""
    asked = wants(library)
    for name in asked.libraries:
        if _NVIDIA.match(name):
            _compile(name, _symbols(asked, name), folder, gcc, asked.versions.get(name, ()))
    _compile(CUDNN, _cudnn_names(library), folder, gcc, ())


def _symbols(asked: Wants, library: str) -> Sequence[str]:
    named = asked.symbols.get(library, ())
    if not library.startswith("libcuda.so"):
        return named
    return [*named, *(name for name in asked.symbols.get("", ()) if _DRIVER.match(name))]


def _cudnn_names(library: Path) -> Sequence[str]:
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return sorted({name.decode() for name in _CUDNN_NAME.findall(data)})


def _compile(
    library: str, names: Sequence[str], folder: Path, gcc: str, versions: Sequence[str]
) -> None:
    stubs, script = folder / f"{library}.c", folder / f"{library}.map"
    weak = "__attribute__((weak)) int {}(void) {{ return 0; }}\n"
    stubs.write_text("".join(weak.format(name) for name in names))
    shown = f"global: {'; '.join(names)}; " if names else ""
    script.write_text(f"{versions[0] if versions else ''} {{ {shown}local: *; }};\n")
    source = HERE / ("standin_cudnn.c" if library == CUDNN else "standin.c")
    command = [gcc, "-shared", "-fPIC", "-O1", "-w", f"-Wl,-soname,{library}"]
    command += [f"-Wl,--version-script={script}", "-o", str(folder / library)]
    subprocess.run([*command, str(source), str(stubs)], check=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
