"""The recipes behind `tools/make_models.py`: data, networks, export, quantisation, cards."""
