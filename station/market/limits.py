"""When the data as a whole is too late, or the clocks too far apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from station.market.quality import Latency

SAMPLES_NEEDED: Final = 20


@dataclass(frozen=True, slots=True)
class MarketLimits:
    """Milliseconds and percent, as SPEC §2 has them; a judgement needs 20 quotes with the venue's stamp."""

    latency_p95_ms: float = 200.0
    divergence_pct: float = 0.1
    skew_alarm_ms: float = 1_000.0
    skew_block_ms: float = 5_000.0

    def judge(self, latency: Latency) -> dict[str, str]:
        """The alarms that hold, by kind (`skew`, `latency`); a skewed clock makes no latency alarm beside."""
        skew = _skew(latency)
        if abs(skew) > self.skew_alarm_ms:
            beyond = abs(skew) > self.skew_block_ms
            limit = self.skew_block_ms if beyond else self.skew_alarm_ms
            entries = "entries are blocked" if beyond else "entries go on"
            return {"skew": f"{_ahead(skew)} (limit {limit:g} ms): {entries}, set the host's clock"}
        # Judged every second; where not even the slowest is late, the percentile need not be worked out.
        slowest = latency.slowest_ms()
        if latency.samples < SAMPLES_NEEDED or slowest is None or slowest <= self.latency_p95_ms:
            return {}
        late = latency.percentile(0.95)
        if late is None or late <= self.latency_p95_ms:
            return {}
        return {"latency": f"market data is {late:.0f} ms late at p95 (limit {self.latency_p95_ms:g} ms)"}

    def blocking(self, latency: Latency) -> str:
        """Why no entry may be made, empty where one may."""
        skew = _skew(latency)
        return _ahead(skew) if abs(skew) > self.skew_block_ms else ""


def _skew(latency: Latency) -> float:
    skew = latency.skew_ms()
    return 0.0 if skew is None or latency.samples < SAMPLES_NEEDED else skew


def _ahead(skew_ms: float) -> str:
    side = "ahead of" if skew_ms > 0 else "behind"
    return f"our clock is {abs(skew_ms) / 1000:.1f} s {side} the venue's"
