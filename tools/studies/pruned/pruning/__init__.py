"""Campaigns over pruned networks and over the dense ones that they came from."""
