"""Protection over random quotes, fills, order answers, halts and kills, against a small fair exchange.

The exchange itself asserts at every change that no more is offered for sale than is held, and that every price
is a legal tick; here follow the promises over time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from station.domain.clock import MINUTE, SECOND
from station.domain.instruments import SPX_OPTION_TICKS
from station.domain.specs import Rung
from station.domain.trade import Cause, Trade
from station.protection import MarketOut, ModifyExit, ProtectionSettings, SubmitExit
from tests.property.protection_exchange import FairExchange, Ladder
from tests.property.protection_play import played
from tests.unit.domain_cases import utc

CLOSE = utc(21)
LAST_CALL = CLOSE - 5 * MINUTE
START = LAST_CALL - 9 * MINUTE
WILD_UNTIL_S = 7 * 60
SHORTENED = ProtectionSettings(grace_s=120, fast_poll_for_s=180, unclosed_alert_s=240)
GAP_LIMIT = 31 * SECOND
MOODS = st.sampled_from(["ok", "ok", "ok", "slow", "unknown", "lost", "rejected", "refused", "broken"])
BIDS = st.one_of(st.none(), st.integers(1, 300).map(lambda n: Decimal(n) / 20))


@dataclass(frozen=True)
class Act:
    at_s: int
    what: str
    bid: Decimal | None
    size: int


ACTS = st.lists(
    st.builds(
        Act,
        st.integers(0, WILD_UNTIL_S),
        st.sampled_from(["quote", "quote", "quote", "entry", "entry", "end", "halt", "resume", "kill"]),
        BIDS,
        st.integers(1, 4),
    ),
    max_size=40,
)
HOUSE = (Rung(Decimal(0), Decimal("0.5")), Rung(Decimal(0), Decimal("0.3")), Rung(Decimal(0), Decimal("0.2")))
STATED = (Rung(Decimal(10), Decimal("0.25")), Rung(Decimal(30), Decimal("0.75")))
Opened = tuple[int, str, Ladder]
TRADES = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.sampled_from(["none", "rapid_shield"]),
        st.sampled_from([(), HOUSE, HOUSE, STATED]),
    ),
    min_size=1,
    max_size=2,
)


class Watch:
    """Looks every second whether each open trade has an exit, and whether its exits there cover it."""

    def __init__(self, exchange: FairExchange) -> None:
        self.exchange = exchange
        self.since: dict[tuple[str, str], int] = {}
        self.longest = {"bare": 0, "thin": 0}

    def look(self) -> None:
        for trade_id, account in self.exchange.accounts.items():
            held = account.trade.open_qty
            self._note(trade_id, "bare", held > 0 and not account.exits)
            self._note(trade_id, "thin", account.offered < held)

    def _note(self, trade_id: str, what: str, wrong: bool) -> None:
        now = self.exchange.clock.now()
        if not wrong:
            self.since.pop((trade_id, what), None)
            return
        began = self.since.setdefault((trade_id, what), now)
        self.longest[what] = max(self.longest[what], now - began)


def performed(exchange: FairExchange, act: Act) -> Callable[[], None]:
    def run() -> None:
        names = sorted(exchange.accounts)
        name = names[act.size % len(names)]
        match act.what:
            case "quote":
                exchange.quote(act.bid, act.size)
            case "entry":
                exchange.fill_entry(name, act.size, Decimal("10.00") + Decimal(act.at_s % 7) / 20)
            case "end":
                exchange.end_entry(name)
            case "kill":
                exchange.throw_kill()
            case _:
                exchange.halt(act.what == "halt")

    return run


def _nothing(_: FairExchange) -> None:
    return None


def history(
    acts: list[Act], trades: list[Opened], moods: list[str], more: Callable[[FairExchange], None] = _nothing
) -> tuple[FairExchange, Watch, list[tuple[str, BaseException]]]:
    watches: list[Watch] = []

    def prepare(exchange: FairExchange) -> None:
        watch = Watch(exchange)
        watches.append(watch)
        for n, (qty, shield, ladder) in enumerate(trades, start=1):
            exchange.open_trade(f"T{n}", qty, shield, ladder)
            exchange.fill_entry(f"T{n}", 1, Decimal("10.00"))
        more(exchange)
        for act in acts:
            exchange.at(START + act.at_s * SECOND, performed(exchange, act))
        # From here on the exchange is in order: whatever happened, everything must be sold.
        for at_ns in range(LAST_CALL - MINUTE, LAST_CALL + 2 * MINUTE, SECOND):
            exchange.at(at_ns, lambda: sane(exchange))
        for at_ns in range(START, LAST_CALL + 2 * MINUTE, SECOND):
            exchange.at(at_ns, watch.look)

    def sane(exchange: FairExchange) -> None:
        exchange.moods.clear()
        exchange.halted = False
        exchange.quote(Decimal("5.00"))

    exchange, _, faults = played(START, LAST_CALL + MINUTE, prepare, moods, SHORTENED)
    return exchange, watches[0], faults


@settings(max_examples=25)
@given(ACTS, TRADES, st.lists(MOODS, max_size=12))
def test_whatever_happens_every_trade_is_protected_and_flat_within_a_minute_of_the_last_call(
    acts: list[Act], trades: list[Opened], moods: list[str]
) -> None:
    exchange, watch, faults = history(acts, trades, moods)
    assert all(isinstance(error, ConnectionResetError) for _, error in faults), faults
    assert [account.trade.open_qty for account in exchange.accounts.values()] == [0] * len(trades)
    assert max(watch.longest.values()) <= GAP_LIMIT
    for account in exchange.accounts.values():
        assert account.exits == ()
        assert account.live == {}


@settings(max_examples=25)
@given(ACTS, TRADES, st.lists(MOODS, max_size=12))
def test_prices_are_targets_up_or_break_even_up_and_a_market_out_is_never_taken_back(
    acts: list[Act], trades: list[Opened], moods: list[str]
) -> None:
    exchange, _, _ = history(acts, trades, moods)
    for trade_id, account in exchange.accounts.items():
        asks = [d for _, name, d in exchange.log if name == trade_id]
        for ask in asks:
            if isinstance(ask, SubmitExit | ModifyExit) and ask.limit is not None:
                assert SPX_OPTION_TICKS.is_legal(ask.limit)
                assert ask.limit > lowest_entry(account.trade)
        outs = [n for n, ask in enumerate(asks) if isinstance(ask, MarketOut)]
        if outs:
            later = [ask for ask in asks[outs[0] :] if isinstance(ask, SubmitExit | ModifyExit)]
            assert all(ask.limit is None for ask in later)
            causes = {ask.cause for ask in asks if isinstance(ask, MarketOut)}
            assert len(causes) == 1
            assert {ask.cause for ask in later} <= causes, "the first cause stays"


def lowest_entry(trade: Trade) -> Decimal:
    return Decimal("10.00") if trade.entry_filled else Decimal(0)


@settings(max_examples=10)
@given(ACTS, TRADES, st.lists(MOODS, max_size=12))
def test_the_same_history_is_answered_the_same(acts: list[Act], trades: list[Opened], moods: list[str]) -> None:
    first, second = (history(acts, trades, list(moods))[0] for _ in range(2))
    assert first.log == second.log


def test_the_watch_really_sees_a_naked_trade() -> None:
    exchange, watch, _ = history([], [(2, "none", ())], ["rejected", "rejected"])
    assert min(watch.longest.values()) >= SECOND
    outs = [(at, d.cause) for at, _, d in exchange.log if isinstance(d, MarketOut)]
    assert outs == [(LAST_CALL, Cause.END_OF_DAY)]
    assert all(later[0] >= earlier[0] for earlier, later in pairwise(exchange.log))
