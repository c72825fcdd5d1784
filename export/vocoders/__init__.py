"""Vocoder modules, shared by the families."""
