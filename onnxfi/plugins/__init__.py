"""The plug-in seam: how samplers, fault models, criteria, engines … are declared and found.

A plug-in is one class in one file. The class says its ``name``, its ``help`` in a sentence, and its
options as annotated fields::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class EveryNth:
        name: ClassVar[str] = "every-nth"
        help: ClassVar[str] = "every n-th fault of the space"
        step: Annotated[int, Meta(description="Distance of two faults.", ge=1)] = 1

A room that takes plug-ins owns one :class:`Registry`: a table with one line for each plug-in of
ours, such as ``"every-nth": "onnxfi.sampling._every_nth:EveryNth"``. Nothing is imported until a
name is asked for. Classes of users come in through ``Registry.register`` in a running process, or
through an entry point of the registry's group (such as ``onnxfi.samplers``) in the metadata of an
installed package, which the command line and spawned workers find as well.

In: such tables and classes, and names, texts and values that people gave. Out: the class of a name
or an error that names near ones; for each option an :class:`Option`, from which command-line
options, keywords, configuration keys and tables in the docs follow. Settings that are no plug-in,
such as those of a campaign, are described by the same records.

Declarations import neither numpy nor scipy, so that ``--help`` stays quick: a file that declares a
plug-in imports what it computes with inside its methods, and a package that holds such files
exports its names by :func:`lazy_exports`.
"""

from onnxfi.plugins._lazy import lazy_exports
from onnxfi.plugins._options import Option, options_of
from onnxfi.plugins._registry import Plugin, Registry
from onnxfi.plugins._text import read_options, written_options
from onnxfi.plugins._unknown import unknown_name

__all__ = [
    "Option",
    "Plugin",
    "Registry",
    "lazy_exports",
    "options_of",
    "read_options",
    "unknown_name",
    "written_options",
]
