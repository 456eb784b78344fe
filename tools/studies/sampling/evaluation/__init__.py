"""How well faults are chosen: targets, their truth by injection, metrics, rows and tables."""
