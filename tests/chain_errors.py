"""Real chains against our pricing: `python -m tests.chain_errors [FOLDER]` prints a table of errors.

Each chain's forward comes from put-call parity nearest the money; implied volatility from the middle of each
quote and delta from that volatility, both by the station's Black-76, are held against what was published, and
the volatility against vollib's of the same quote. Parity: is call less put the forward less the strike, within
half of both spreads, at every strike that quotes both?
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from vollib.black.implied_volatility import implied_volatility

from station.calendars import load_calendar
from station.pricing import expiry_instant, greeks, implied_vol, year_fraction

Frame = Any
"""A pandas frame: its published types know too little of it."""
FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "options" / "chains"
LIVE = {
    "spx_chain_2022-07-12_1155_live_0dte": (1.0, 15.0),
    "spx_chain_2026-07-23_lastminute_0dte": (100.0, 0.0),
    "qqq_chain_yahoo_2026-02-12_1509Z": (1.0, 0.0),
    "spy_chain_yahoo_2026-02-11_1619Z": (1.0, 0.0),
}
"""Captured while the market was open: what a volatility of 1 reads as, minutes by which quotes lag.

The free feed's two chains are no measure near the expiry: it reckons today's with about a whole day, and its
two sides are not of one instant."""
TERMS = (("0DTE", 0, 0), ("to a week", 1, 7), ("to 45 days", 8, 45))
_SPREAD = 0.25
_REACH = 2.0


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one chain and term: quotes compared, then absolute differences, volatility in points (1 = 1 %)."""

    chain: str
    term: str
    quotes: int
    iv_median: float
    iv_90: float
    delta_median: float
    delta_90: float
    vollib_worst: float
    parity_median: float
    parity_within_pct: float


@dataclass(frozen=True, slots=True)
class Compared:
    """By quote: |IV error|, |delta error| or NaN, |IV less vollib's|. By strike: |C − P − (F − K)| in dollars,
    and that over half of both spreads."""

    quotes: np.ndarray
    parity: np.ndarray


def tables(folder: Path = FOLDER) -> Iterator[Errors]:
    """Every chain's errors by term. FileNotFoundError where the folder is not there."""
    for name, (unit, lag_min) in LIVE.items():
        frame: Frame = pd.read_parquet(folder / f"{name}.parquet")
        for term, low, high in TERMS:
            found = _compared(frame[frame["dte"].between(low, high)], unit, lag_min)
            if len(found.quotes):
                yield _summed(name, term, found)


def _summed(name: str, term: str, found: Compared) -> Errors:
    quotes, parity = found.quotes, found.parity
    iv, delta = quotes[:, 0] * 100.0, quotes[:, 1][np.isfinite(quotes[:, 1])]
    middle, wide = np.quantile(delta, (0.5, 0.9)) if len(delta) else (np.nan, np.nan)
    return Errors(
        name, term, len(quotes), float(np.median(iv)), float(np.quantile(iv, 0.9)), float(middle), float(wide),
        float(quotes[:, 2].max() * 100.0), float(np.median(parity[:, 0])),
        float((parity[:, 1] <= 1.0).mean() * 100.0),
    )  # fmt: skip


def _compared(frame: Frame, unit: float, lag_min: float) -> Compared:
    """Every sound quote within two deviations of the money."""
    parts = [Compared(np.empty((0, 3)), np.empty((0, 2)))]
    keys = [key for key in ("root", "expiry") if key in frame.columns]
    for _, group in frame.groupby(keys):
        parts.append(_one_expiry(group, unit, lag_min))
    return Compared(
        np.concatenate([part.quotes for part in parts]), np.concatenate([part.parity for part in parts])
    )


def _one_expiry(group: Frame, unit: float, lag_min: float) -> Compared:
    first: Any = group.iloc[0]
    stamp_ns = int(first["snapshot_ts_utc"].value) - round(lag_min * 60e9)
    morning = first.get("root", "") == "SPX"
    years = year_fraction(
        stamp_ns, expiry_instant(str(first["expiry"]).replace("-", ""), load_calendar(), morning=morning)
    )
    sound = group[(group["bid"] > 0) & (group["ask"] > group["bid"]) & (group["iv"] > 0.01 * unit)]
    mid = (sound["bid"] + sound["ask"]) / 2.0
    sound = sound.assign(mid=mid)[(sound["ask"] - sound["bid"]) < _SPREAD * mid]
    forward = _forward(sound, float(first["underlying_last"]))
    if years <= 0.0 or forward is None or not len(sound):
        return Compared(np.empty((0, 3)), np.empty((0, 2)))
    strike, call = sound["strike"].to_numpy(float), (sound["right"] == "C").to_numpy(bool)
    theirs = sound["iv"].to_numpy(float) / unit
    away = np.log(strike / forward) / (theirs * np.sqrt(years))
    outside = np.where(call, away >= -0.1, away <= 0.1) & (np.abs(away) < _REACH)
    middle = sound["mid"].to_numpy(float)
    ours = implied_vol(middle, forward, strike, years, call)
    slope = greeks(forward, strike, years, ours, call).delta
    published = sound["delta"].to_numpy(float) if "delta" in sound.columns else np.full(len(sound), np.nan)
    kept = outside & np.isfinite(ours)
    known = [
        _vollibs(mid, at, right, forward, years) if keep else np.nan
        for mid, at, right, keep in zip(middle, strike, call, kept, strict=True)
    ]
    rows = np.column_stack((np.abs(ours - theirs), np.abs(slope - published), np.abs(ours - np.array(known))))
    return Compared(rows[kept], _parity(sound, forward))


def _vollibs(middle: float, strike: float, call: bool, forward: float, years: float) -> float:
    return float(implied_volatility(middle, forward, strike, 0.0, years, "c" if call else "p"))


def _parity(sound: Frame, forward: float) -> np.ndarray:
    """Where both are quoted: what call less put misses forward less strike by; dollars, half spreads."""
    columns = ["strike", "mid", "bid", "ask"]
    calls, puts = (sound.loc[sound["right"] == right, columns] for right in "CP")
    both = calls.merge(puts, on="strike").to_numpy(float)
    strike, call, call_bid, call_ask, put, put_bid, put_ask = both.T
    missed = np.abs(call - put - (forward - strike))
    return np.column_stack((missed, missed / ((call_ask - call_bid + put_ask - put_bid) / 2.0)))


def _forward(sound: Frame, spot: float) -> float | None:
    """The median of K + C − P over the eight strikes nearest the money that quote both."""
    calls = sound[sound["right"] == "C"].set_index("strike")["mid"]
    puts = sound[sound["right"] == "P"].set_index("strike")["mid"]
    both = calls.index.intersection(puts.index)
    if not len(both):
        return None
    near = sorted(both, key=lambda strike: (abs(strike - spot), strike))[:8]
    return float(np.median([strike + float(calls[strike]) - float(puts[strike]) for strike in near]))


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if not folder.is_dir():
        print(f"no chains in {folder}: name the folder that holds them")
        return 1
    print(
        f"{'chain':<40}{'term':<12}{'quotes':>7}{'IV med':>8}{'IV p90':>8}{'Δ med':>8}{'Δ p90':>8}"
        f"{'vollib':>9}{'parity $':>9}{'within':>8}"
    )
    for row in tables(folder):
        print(
            f"{row.chain:<40}{row.term:<12}{row.quotes:>7}{row.iv_median:>8.2f}{row.iv_90:>8.2f}"
            f"{row.delta_median:>8.3f}{row.delta_90:>8.3f}{row.vollib_worst:>9.1e}{row.parity_median:>9.3f}"
            f"{row.parity_within_pct:>7.0f}%"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
