"""Degradations: random operators whose draws are recorded and replayed."""
