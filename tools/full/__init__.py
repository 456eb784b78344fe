"""The heavy checks of `.ci/run --full`: a table of steps, their environments, and their record."""
