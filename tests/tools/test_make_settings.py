"""What follows from the schema of settings is what the tool writes from it."""

from __future__ import annotations

import subprocess
import sys


def test_keywords_and_the_docs_page_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "tools/make_settings.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0)
