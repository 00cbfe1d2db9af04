"""The signal pool, pattern match, veera rules and hunter: from published signals to a strategy's case."""

from station.strategy.hunter import NO_MATCH, NO_SIGNAL, Block, Caps, Counts, Hunter, Pass, Verdict, hunt
from station.strategy.match import identity, key_of, says
from station.strategy.pool import FRESH_S, Pool, make_signal
from station.strategy.veera import RULES, BarColumns, BarsOf, VeeraVerdict, bars_from, judge

__all__ = [
    "FRESH_S", "NO_MATCH", "NO_SIGNAL", "RULES", "BarColumns", "BarsOf", "Block", "Caps", "Counts", "Hunter",
    "Pass", "Pool", "VeeraVerdict", "Verdict", "bars_from", "hunt", "identity", "judge", "key_of",
    "make_signal", "says",
]  # fmt: skip
