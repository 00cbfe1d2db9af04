"""Scanner and strategy rows from plain mappings (TOML tables, JSON bodies), and back again.

A bad row raises BadInput with one line that names the row, the key, the value, the limit and the mend;
nothing is guessed, and a key nobody knows is refused rather than ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, fields
from decimal import Decimal, InvalidOperation
from enum import Enum
from math import isfinite
from typing import Any, Final, NoReturn, cast

from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, Timeframe
from station.domain.specs import Rung, ScannerSpec, StrategySpec

SIDES: Final = ("CALL", "PUT", "BOTH")
SHIELDS: Final = ("rapid_shield", "day_shield", "none")
HUNTERS: Final = ("standard", "context_plus_trigger")
AUTONOMY: Final = ("observe", "propose", "auto")
ENTRY_POLICIES: Final = ("market", "mid", "cap", "walk")
EXPIRIES: Final = ("0dte", "weekly", "monthly")
VEERA_RULES: Final = (
    "spy_ema21_200_5m", "vix_ema5_12_5m", "macd_10m", "ema21_slope_5m", "adx_5m", "vix_ema21_200_5m",
    "stochastic_10m", "es_ema5_12_10m", "nq_ema5_12_10m", "qqq_ema5_12_10m",
)  # fmt: skip
"""The regime rules of SPEC §5 by name, in its order."""
NOBODYS: Final = ("manual", "adopted")
"""Trades of a hand and adopted ones stand under these names: a strategy so called would rule over them."""
HOUSE_RUNGS: Final = ("P1", "P2", "P3")
_LADDER_FORM: Final = 'write "P1:0.5 P2:0.25 P3:0.25" or percents, "23:0.5 40:0.25 60:0.25"'

Row = Mapping[str, object]


class _Reader:
    """Takes typed values out of one row, complaining in the row's name."""

    def __init__(self, kind: str, key_field: str, row: Row, known: Collection[str]) -> None:
        self._row = row
        name = row.get(key_field)
        self.title = f"{kind} {name}" if isinstance(name, str) and name else kind
        for key in row:
            if key not in known:
                self._refuse(
                    key, row[key], f"is no setting of a {kind}", f"use one of {', '.join(sorted(known))}"
                )

    def _refuse(self, key: str, value: object, limit: str, mend: str) -> NoReturn:
        raise BadInput(f"{self.title}: {key} = {value!r} {limit}: {mend}")

    def has(self, key: str) -> bool:
        return key in self._row

    def text(self, key: str, *, blank: bool = False) -> str:
        value = self._row.get(key)
        if not isinstance(value, str) or (not value.strip() and not blank):
            self._refuse(key, value, "must be a text that is not empty", f'write {key} = "…"')
        return value.strip()

    def choice(self, key: str, allowed: Collection[str]) -> str:
        value = self.text(key)
        if value not in allowed:
            self._refuse(key, value, "is not known", f"use one of {', '.join(allowed)}")
        return value

    def flag(self, key: str) -> bool:
        value = self._row.get(key)
        if not isinstance(value, bool):
            self._refuse(key, value, "must be true or false", f"write {key} = true")
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        value = self._row.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._refuse(key, value, f"must be a whole number from {low} to {high}", f"write {key} = {low}")
        return value

    def real(self, key: str, low: float, high: float) -> float:
        value = self._row.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self._refuse(key, value, f"must be a number from {low} to {high}", f"write {key} = {high}")
        return float(value)

    def decimal(self, key: str, low: str, high: str) -> Decimal:
        value = self._row.get(key)
        try:
            number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or not Decimal(low) <= number <= Decimal(high):
            self._refuse(key, value, f"must be a number from {low} to {high}", f"write {key} = {high}")
        return number

    def texts(self, key: str, allowed: Collection[str] | None = None) -> tuple[str, ...]:
        value = self._row.get(key)
        if not isinstance(value, list | tuple):
            self._refuse(key, value, "must be a list of texts", f'write {key} = ["…"]')
        found: list[str] = []
        for item in cast("list[object]", value):
            if not isinstance(item, str) or not item.strip():
                self._refuse(key, item, "must be a list of texts", f'write {key} = ["…"]')
            if allowed is not None and item not in allowed:
                self._refuse(key, item, "is not known", f"use any of {', '.join(allowed)}")
            if item.strip() not in found:
                found.append(item.strip())
        return tuple(found)

    def numbers(self, key: str) -> tuple[tuple[str, float], ...]:
        value = self._row.get(key)
        pairs = value
        if isinstance(value, Mapping):
            pairs = list(cast("Mapping[str, object]", value).items())
        if not isinstance(pairs, list | tuple):
            self._refuse(key, value, "must be a table of numbers", f"write {key} = {{ period = 14 }}")
        found: dict[str, float] = {}
        for pair in cast("list[tuple[object, object]]", pairs):
            name, number = pair
            if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
                self._refuse(f"{key}.{name}", number, "must be a finite number", "write a number")
            found[str(name)] = float(number)
        return tuple(sorted(found.items()))

    def ladder(self, key: str) -> tuple[Rung, ...]:
        """`"23:0.5 40:0.25 60:0.25"`: percent and fraction a rung; P1, P2, P3 are the house's percents."""
        rungs: list[Rung] = []
        for n, part in enumerate(self.text(key, blank=True).replace(",", " ").split()):
            name, _, share = part.partition(":")
            house = n < len(HOUSE_RUNGS) and name.upper() == HOUSE_RUNGS[n]
            try:
                rungs.append(Rung(Decimal(0) if house else Decimal(name), Decimal(share)))
            except InvalidOperation:
                self._refuse(key, self._row[key], f"has a rung {part!r} that cannot be read", _LADDER_FORM)
        if (wrong := _ladder_fault(rungs)) is not None:
            self._refuse(key, self._row[key], wrong, _LADDER_FORM)
        return tuple(rungs)

    def refuse(self, key: str, limit: str, mend: str) -> NoReturn:
        self._refuse(key, self._row.get(key), limit, mend)


def parse_scanner(row: Row, instruments: Collection[str] = INSTRUMENTS) -> ScannerSpec:
    """One scanner row. `instruments` are the symbols that may be named. Raises BadInput."""
    read = _Reader("scanner", "name", row, _names(ScannerSpec))
    frame = read.choice("timeframe", tuple(each.value for each in Timeframe))
    taken: dict[str, Any] = {
        "name": _bare_name(read, "name"), "family": read.text("family"),
        "instrument": read.choice("instrument", instruments), "timeframe": Timeframe(frame),
        "side": read.choice("side", SIDES),
    }  # fmt: skip
    if read.has("params"):
        taken["params"] = read.numbers("params")
    if row.get("cooldown_s") is not None:
        taken["cooldown_s"] = read.whole("cooldown_s", 0, 7 * 86_400)
    taken |= {key: read.flag(key) for key in ("enabled", "email", "telegram") if read.has(key)}
    return ScannerSpec(**taken)


def parse_strategy(row: Row, instruments: Collection[str] = INSTRUMENTS) -> StrategySpec:
    """One strategy row. `instruments` are the symbols that may be traded. Raises BadInput."""
    read = _Reader("strategy", "strategy_id", row, _names(StrategySpec))
    taken: dict[str, Any] = {
        "strategy_id": _bare_name(read, "strategy_id"), "symbol": read.choice("symbol", instruments),
        "call_patterns": read.texts("call_patterns") if read.has("call_patterns") else (),
        "put_patterns": read.texts("put_patterns") if read.has("put_patterns") else (),
    }  # fmt: skip
    for key, take in _STRATEGY_KEYS.items():
        if read.has(key):
            taken[key] = take(read, key)
    spec = StrategySpec(**taken)
    if spec.strategy_id in NOBODYS:
        read.refuse("strategy_id", "is what trades of no strategy are under", "choose another name")
    if not spec.call_patterns and not spec.put_patterns:
        read.refuse("call_patterns", "and put_patterns are both empty", "give at least one pattern")
    if spec.hunter == "context_plus_trigger" and not spec.context_patterns:
        read.refuse("context_patterns", "may not be empty with hunter context_plus_trigger", "give a pattern")
    return spec


def spec_row(spec: ScannerSpec | StrategySpec) -> dict[str, object]:
    """A spec as a plain JSON-able mapping; parsing it gives the same spec again."""
    row = {key: _plain(value) for key, value in asdict(spec).items()}
    if isinstance(spec, ScannerSpec):
        row["params"] = dict(spec.params)
    else:
        row["ladder"] = ladder_text(spec.ladder)
    return row


def ladder_text(ladder: tuple[Rung, ...]) -> str:
    """A ladder as its row has it."""
    return " ".join(f"{rung.pct or HOUSE_RUNGS[n]}:{rung.fraction}" for n, rung in enumerate(ladder))


def _ladder_fault(rungs: list[Rung]) -> str | None:
    if len(rungs) > len(HOUSE_RUNGS):
        return f"has {len(rungs)} rungs, at most {len(HOUSE_RUNGS)} are worked"
    if any(not rung.fraction.is_finite() or not 0 < rung.fraction <= 1 for rung in rungs):
        return "needs fractions over 0 and up to 1"
    if any(not rung.pct.is_finite() or not 0 <= rung.pct <= 1_000 for rung in rungs):
        return "needs percents over 0 and up to 1000"
    stated = [rung.pct for rung in rungs if rung.pct]
    if stated != sorted(set(stated)) or 0 < len(stated) < len(rungs):
        return "needs percents that rise, or P1, P2, P3 throughout"
    if rungs and sum(rung.fraction for rung in rungs) != 1:
        return "needs fractions that add up to 1"
    return None


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def _names(kind: type[ScannerSpec] | type[StrategySpec]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def _bare_name(read: _Reader, key: str) -> str:
    name = read.text(key)
    if not all(letter.isalnum() or letter in "_.-" for letter in name):
        read.refuse(key, "may hold letters, digits, _ . and - only", "rename it")
    return name


_STRATEGY_KEYS: Final[dict[str, Callable[[_Reader, str], object]]] = {
    "context_patterns": lambda read, key: read.texts(key),
    "window_s": lambda read, key: read.whole(key, 1, 86_400),
    "veera": lambda read, key: read.texts(key, VEERA_RULES),
    "target_pct": lambda read, key: read.decimal(key, "0.1", "1000"),
    "shield": lambda read, key: read.choice(key, SHIELDS),
    "wealth_plan": lambda read, key: read.text(key),
    "hunter": lambda read, key: read.choice(key, HUNTERS),
    "priority": lambda read, key: read.whole(key, 1, 1_000),
    "enabled": lambda read, key: read.flag(key),
    "version": lambda read, key: read.whole(key, 1, 1_000_000_000),
    "autonomy": lambda read, key: read.choice(key, AUTONOMY),
    "min_confidence": lambda read, key: read.whole(key, 50, 100),
    "max_signals_day": lambda read, key: read.whole(key, 0, 1_000),
    "entry_policy": lambda read, key: read.choice(key, ENTRY_POLICIES),
    "entry_cap_pct": lambda read, key: read.decimal(key, "0", "100"),
    "entry_timeout_s": lambda read, key: read.whole(key, 1, 3_600),
    "expiry": lambda read, key: read.choice(key, EXPIRIES),
    "delta_call": lambda read, key: read.real(key, 0.01, 0.99),
    "delta_put": lambda read, key: read.real(key, 0.01, 0.99),
    "opposite_exit": lambda read, key: read.flag(key),
    "schedule": lambda read, key: read.text(key, blank=True),
    "position_size_pct": lambda read, key: read.decimal(key, "0", "100"),
    "day_loss_pct": lambda read, key: read.decimal(key, "0", "100"),
    "drawdown_pct": lambda read, key: read.decimal(key, "0", "100"),
    "stop_pct": lambda read, key: read.decimal(key, "0", "99"),
    "ladder": lambda read, key: read.ladder(key),
}  # fmt: skip
