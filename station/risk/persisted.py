"""Controls as rows of the lifecycle database's `controls` table: five JSON texts, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from station.domain.errors import Fatal
from station.risk.controls import Controls, DayBook, Gate, GateState, KillState, StrategyBook


def to_rows(controls: Controls) -> dict[str, str]:
    """The rows `gate`, `kill`, `quarantine`, `day` and `strategies`, canonical JSON."""
    gate, kill, day = controls.gate, controls.kill, controls.day
    rows: dict[str, Any] = {
        "gate": {"state": gate.state.value, "by": gate.by, "reason": gate.reason},
        "kill": {"on": kill.on, "flatten": kill.flatten, "by": kill.by, "reason": kill.reason,
                 "at_ns": kill.at_ns},
        "quarantine": dict(controls.quarantined),
        "day": {"session": day.session, "baseline": _text(day.baseline), "peak": _text(day.peak),
                "month_baseline": _text(day.month_baseline), "losses": day.losses,
                "cooling_until_ns": day.cooling_until_ns, "overrides": day.overrides},
        "strategies": {
            book.strategy: {"version": book.version, "pnl": str(book.pnl), "peak": str(book.peak),
                            "paused": book.paused}
            for book in controls.strategies
        },
    }  # fmt: skip
    return {name: json.dumps(row, sort_keys=True, separators=(",", ":")) for name, row in rows.items()}


def from_rows(rows: Mapping[str, str]) -> Controls:
    """The controls in the rows; a missing row has its default. Raises Fatal for one that cannot be read:
    nothing may trade on a kill switch that is not known."""
    try:
        gate, kill, day = (_row(rows, name) for name in ("gate", "kill", "day"))
        locked = {str(symbol): str(reason) for symbol, reason in _row(rows, "quarantine").items()}
        return Controls(
            GateState(Gate(gate.get("state", "OPEN")), gate.get("by", ""), gate.get("reason", "")),
            KillState(bool(kill.get("on", False)), bool(kill.get("flatten", False)), kill.get("by", ""),
                      kill.get("reason", ""), int(kill.get("at_ns", 0))),
            tuple(sorted(locked.items())),
            DayBook(day.get("session", ""), _money(day.get("baseline")), _money(day.get("month_baseline")),
                    _money(day.get("peak")), int(day.get("losses", 0)), int(day.get("cooling_until_ns", 0)),
                    int(day.get("overrides", 0))),
            tuple(_book(name, row) for name, row in sorted(_row(rows, "strategies").items())),
        )  # fmt: skip
    except (ValueError, TypeError, AttributeError, KeyError, InvalidOperation) as bad:
        raise Fatal(f"controls in the lifecycle database cannot be read ({bad}): restore a backup") from bad


def _row(rows: Mapping[str, str], name: str) -> dict[str, Any]:
    return dict(json.loads(rows[name])) if name in rows else {}


def _book(strategy: str, row: dict[str, Any]) -> StrategyBook:
    return StrategyBook(
        strategy, int(row["version"]), Decimal(row["pnl"]), Decimal(row["peak"]), str(row["paused"])
    )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
