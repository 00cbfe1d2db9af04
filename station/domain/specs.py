"""Scanners and strategies as data: the rows that the config database holds and the screens edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from station.domain.instruments import Timeframe

COOLDOWN_S: Final = {
    Timeframe.M1: 60, Timeframe.M2: 120, Timeframe.M3: 180, Timeframe.M5: 300, Timeframe.M10: 600,
    Timeframe.M15: 900, Timeframe.M30: 1800, Timeframe.H1: 3600, Timeframe.H4: 14400, Timeframe.D1: 86400,
}  # fmt: skip
"""Default cooldown by timeframe (SPEC §3, gate 2)."""


@dataclass(frozen=True, slots=True)
class ScannerSpec:
    """One scanner row. `side` is CALL, PUT or BOTH; `params` overrides the family's defaults by name."""

    name: str
    family: str
    instrument: str
    timeframe: Timeframe
    side: str
    params: tuple[tuple[str, float], ...] = ()
    cooldown_s: int | None = None
    enabled: bool = True
    email: bool = False
    telegram: bool = False

    @property
    def effective_cooldown_s(self) -> int:
        return COOLDOWN_S[self.timeframe] if self.cooldown_s is None else self.cooldown_s


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the profit ladder: sell `fraction` of the position at entry + `pct` %. A `pct` of 0 is the
    house's own: the target for the first rung, the settings' P2 and P3 for the next two."""

    pct: Decimal
    fraction: Decimal


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """One strategy row (SPEC §5). Patterns are globs over scanner names; percents are of the entry price.

    `veera` names the enabled regime rules; `hunter` is standard or context_plus_trigger; `autonomy` is
    observe, propose or auto; `version` counts edits and is recorded by every trade. The strategy's own risk:
    `position_size_pct`, `day_loss_pct` and `drawdown_pct` of equity, `stop_pct` of the entry price; 0 leaves
    one open to the common limit. `ladder` is empty where the whole position is sold at the target. With
    `opposite_exit` a signal that makes the strategy's case for the other side takes its trades out.
    """

    strategy_id: str
    symbol: str
    call_patterns: tuple[str, ...]
    put_patterns: tuple[str, ...]
    context_patterns: tuple[str, ...] = ()
    window_s: int = 300
    veera: tuple[str, ...] = ()
    target_pct: Decimal = Decimal(23)
    shield: str = "none"
    wealth_plan: str = "WM235K"
    hunter: str = "standard"
    priority: int = 1
    enabled: bool = True
    version: int = 1
    autonomy: str = "auto"
    min_confidence: int = 50
    max_signals_day: int = 10
    entry_policy: str = "market"
    entry_cap_pct: Decimal = Decimal(0)
    entry_timeout_s: int = 60
    expiry: str = "0dte"
    delta_call: float = 0.30
    delta_put: float = 0.25
    opposite_exit: bool = False
    schedule: str = ""
    position_size_pct: Decimal = Decimal(0)
    day_loss_pct: Decimal = Decimal(0)
    drawdown_pct: Decimal = Decimal(0)
    stop_pct: Decimal = Decimal(0)
    ladder: tuple[Rung, ...] = ()


@dataclass(frozen=True, slots=True)
class Switches:
    """The scanner master switches."""

    es_only_mode: bool = False
    email_all: bool = True
    telegram_all: bool = True


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """A versioned row of the config database: JSON `body` under (`kind`, `key`), and where it came from
    (`origin` is shipped or edited; untouched shipped rows follow new defaults)."""

    kind: str
    key: str
    body: str
    version: int
    origin: str
    changed_ns: int
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class Desired:
    """What the config database says now, parsed: the engine's view with a 5 s time to live."""

    scanners: tuple[ScannerSpec, ...] = ()
    strategies: tuple[StrategySpec, ...] = ()
    switches: Switches = field(default_factory=Switches)
