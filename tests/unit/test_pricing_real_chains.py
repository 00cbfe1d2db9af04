"""Our volatility and delta against a live chain of the exchange, 0DTE included."""

from __future__ import annotations

from pathlib import Path

from tests.chain_errors import tables


def test_volatility_and_delta_of_a_live_chain_are_the_exchange_s(shared_data: Path) -> None:
    rows = {(row.chain[:14], row.term): row for row in tables(shared_data / "options" / "chains")}
    today, week, month = (rows["spx_chain_2022", term] for term in ("0DTE", "to a week", "to 45 days"))
    assert today.quotes >= 20
    assert today.iv_90 < 0.5
    assert max(week.iv_90, month.iv_90) < 0.2
    assert max(row.delta_90 for row in (today, week, month)) < 0.01
    assert all(row.vollib_worst < 1e-9 for row in rows.values())
    assert min(row.parity_within_pct for row in (today, week, month)) > 99
