"""Scanner families and the room that runs them: a rule is one pure function of bars."""

from station.scanners.batch import hours_of, scan_all, scan_marks
from station.scanners.family import WARMUP_PERIODS, Family, Marks
from station.scanners.registry import all_families, check, family_of, warmup_bars
from station.scanners.room import ScannerCounts, ScannerRoom
from station.scanners.study import Study

__all__ = [
    "WARMUP_PERIODS",
    "Family",
    "Marks",
    "ScannerCounts",
    "ScannerRoom",
    "Study",
    "all_families",
    "check",
    "family_of",
    "hours_of",
    "scan_all",
    "scan_marks",
    "warmup_bars",
]
