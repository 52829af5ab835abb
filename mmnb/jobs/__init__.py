"""Measure a model and data of one's own from the shell."""
