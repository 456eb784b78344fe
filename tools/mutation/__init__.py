"""Mutants: mistakes that could be made in onnxfi, and where they would be made.

In come the table ``mutants.toml`` and the package's source; out go whole source files with one
mistake each.
"""

from mutation._find import Found, MutantError, find
from mutation._table import TABLE, Mutant, read_mutants

__all__ = ["TABLE", "Found", "Mutant", "MutantError", "find", "read_mutants"]
