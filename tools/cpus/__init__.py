"""Parts of tools/other_cpus.py."""
