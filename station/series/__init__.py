"""Columnar bars, their aggregation to session-aligned timeframes, and bar files."""

from station.series.aggregate import aggregate, bar_closes, finished, grid_starts, session_numbers
from station.series.bars import Bars, concat
from station.series.files import BarFile, DirtyFile, UnusableFile, read_all_bars, read_bars

__all__ = [
    "BarFile",
    "Bars",
    "DirtyFile",
    "UnusableFile",
    "aggregate",
    "bar_closes",
    "concat",
    "finished",
    "grid_starts",
    "read_all_bars",
    "read_bars",
    "session_numbers",
]
