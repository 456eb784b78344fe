"""Campaigns on spiking networks through the command line; what comes out as tables and plots."""
