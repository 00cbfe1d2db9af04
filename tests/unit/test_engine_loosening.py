"""Which edits loosen a limit, and that live trading wants a word for them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from config.describe import described, value_of
from config.settings import Settings
from station.domain.errors import Refused
from station.engine.loosening import DOWN, GUARDS, OTHERS, UP, field_changes, loosens, require_word
from station.engine.tuning import SettingsDesk
from station.store.config import ConfigRow

FIGURES = {"risk.var_sigmas", "risk.stress_pct"}
"""They measure, and stop nothing."""


def test_every_limit_of_risk_is_known_to_loosen_one_way_or_another() -> None:
    known = UP | DOWN | GUARDS | OTHERS
    names = {row.key for row in described()}
    assert known <= names
    assert {name for name in names if name.startswith(("risk.", "safeguards."))} <= known | FIGURES


@pytest.mark.parametrize(
    ("key", "tighter", "looser"),
    [
        ("risk.daily_loss_usd", Decimal(400), Decimal(600)), ("risk.min_quality_score", 80, 60),
        ("risk.portfolio_theta_usd_day", -1000.0, -3000.0), ("risk.one_per_instrument", True, False),
        ("safeguards.cooling_off_min", 60, 10), ("market.clock_skew_block_ms", 4_000, 600_000),
        ("protection.flatten_before_close_s", 400, 60), ("protection.late_before_close_s", 2_000, 600),
        ("protection.stale_after_s", 10, 600), ("signals.valid_s", 600, 86_400),
    ],
)  # fmt: skip
def test_a_limit_is_loosened_one_way_only(key: str, tighter: Any, looser: Any) -> None:
    now = value_of(Settings(), key)
    assert not loosens(key, now, tighter) and not loosens(key, now, now)
    assert loosens(key, now, looser)


def test_a_strategy_s_limit_of_nothing_is_the_loosest() -> None:
    row = {"position_size_pct": "2.5", "min_confidence": 60, "shield": "day_shield", "autonomy": "propose"}
    assert field_changes(row, {**row, "position_size_pct": "0"}) == ("position_size_pct",)
    assert field_changes({**row, "position_size_pct": 0}, row) == ()
    assert field_changes(row, {**row, "min_confidence": 50, "shield": "none"}) == ("min_confidence", "shield")
    assert field_changes(row, {**row, "autonomy": "auto"}) == ("autonomy",)
    assert field_changes(row, {**row, "autonomy": "observe", "min_confidence": 70}) == ()


class Rows:
    """The stored settings, in memory."""

    def __init__(self) -> None:
        self.held: list[ConfigRow] = []

    async def rows(self, kind: str = "") -> tuple[ConfigRow, ...]:
        return tuple(self.held)

    async def edit(self, kind: str, key: str, body: str, *, version: int, by: str) -> None:
        self.held.append(ConfigRow(kind, key, body, version + 1, "edited", by, 0))


async def test_live_trading_wants_the_word_and_paper_does_not() -> None:
    broker = {"kind": "ibkr", "account": "U1", "armed": True}
    live = Settings.model_validate({"station": {"environment": "live"}, "broker": broker})
    desk = SettingsDesk(Rows(), live, live, {}, lambda _: None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(Refused, match=r"max_positions: 3 → 5 loosens a limit, and this is LIVE: type LOOSEN"):
        await desk.edit("risk.max_positions", "5", 0, "test")
    assert desk.value.risk.max_positions == 3
    await desk.edit("risk.max_positions", "2", 0, "test")
    assert (await desk.edit("risk.max_positions", "5", 1, "test", "LOOSEN")).endswith("2 → 5")
    require_word("paper", "anything", "")
