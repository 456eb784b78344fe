"""The zoo's one exception; free of imports, so that the command line can always catch it."""


class ZooError(Exception):
    """A step failed; the message says what to do about it."""
