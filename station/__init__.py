"""Vigil's engine: everything that trades, and nothing that paints."""
