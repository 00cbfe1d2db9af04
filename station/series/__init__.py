"""Columnar bars, their aggregation to session-aligned timeframes, and bar files."""

from station.series.adjustment import ADJUSTED, RAW, Factors, adjust, read_factors
from station.series.aggregate import aggregate, bar_closes, finished, grid_starts, session_numbers
from station.series.bars import Bars, concat
from station.series.files import BarFile, DirtyFile, UnusableFile, read_all_bars, read_bars, symbols_in

__all__ = [
    "ADJUSTED",
    "RAW",
    "BarFile",
    "Bars",
    "DirtyFile",
    "Factors",
    "UnusableFile",
    "adjust",
    "aggregate",
    "bar_closes",
    "concat",
    "finished",
    "grid_starts",
    "read_all_bars",
    "read_bars",
    "read_factors",
    "session_numbers",
    "symbols_in",
]
