"""A wild hand at a whole station: random orders, changes and ways out, with faults and restarts between them.

After every step the exchange's own book is held against the station's and against what a screen is shown:
nothing is ever short, nothing offers more than is held for long, what is shown is what is there, a close that
was acknowledged is not forgotten, and a kill that flattens leaves nothing behind. Run:
`python -m tests.hands --seeds 1-200`; a seed plays the same again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from station.brokers.paper.faults import Fault
from station.brokers.paper.orders import PaperOrder
from station.brokers.paper.register import Register
from station.calendars import at_et
from station.domain.clock import SECOND
from station.domain.instruments import Contract
from station.domain.orders import Action, Order, Purpose
from station.domain.trade import Cause, Trade
from station.link import (
    Ack,
    CancelOrder,
    ClosePart,
    CloseTrade,
    Command,
    Flatten,
    Gate,
    Kill,
    ModifyOrder,
    PlaceOrder,
    Reconcile,
    Reply,
    ReverseTrade,
)
from station.store import verify
from tests.faults.station_stage import RICH
from tests.faults.test_station_manual import BUY, Hand
from tests.lab import DAY, play

FAULTS: Final = (
    "reject_entry", "reject_child", "reject_modify", "drop_ack", "drop_cancel", "drop_order",
    "duplicate_execution", "fill_before_ack", "status_before_fill", "commission_lost", "commission_early",
    "correct_execution", "cancel_takes_group", "backward_status",
)  # fmt: skip
OUTAGES: Final = ("disconnect", "link_lost", "data_lost", "halt", "stale_quotes", "zero_bid", "crossed")
WHOLE_LINK: Final = ("disconnect", "link_lost", "data_lost")
DEEDS: Final = {
    "wait": 6, "place": 4, "change": 8, "part": 3, "close": 1, "cancel": 1, "reconcile": 1, "reverse": 0.5,
    "flatten": 0.4, "gate": 0.4, "kill": 0.3,
}  # fmt: skip
OFFERED_S: Final = 8
SHOWN_S: Final = 75
"""How long exits may be larger than what is held, and a screen may lag behind the exchange's book."""
RACES: Final = ("paper book: working exits", "working sells outside")
"""A leg that is changed while the other fills is too large until the next change (station/README.md)."""
STEP_S: Final = 0.5


class Wild:
    """One seed's hand. `wrong` is what was found, `done` what it did."""

    def __init__(self, seed: int, home: Path) -> None:
        self._random = random.Random(seed)
        self._home = home
        self._tokens = 0
        self._at_ns = 0
        self._since: dict[object, int] = {}
        self._asked: list[asyncio.Future[object]] = []
        self._closing: set[str] = set()
        self._faults = tuple(self._mishaps())
        self.wrong: list[str] = []
        self.done: list[str] = []

    def run(self) -> list[str]:
        """Play some processes one after the other on one runtime directory; every second one is killed."""
        lives, runtime = self._random.choice((1, 1, 2, 3)), self._home / "0"
        for life in range(lives):
            after = self._home / f"{life + 1}"
            image = after if life + 1 < lives and self._random.random() < 0.5 else None
            away_s = self._random.choice((0, 5, 30, 300)) if life else 0
            last = life + 1 == lives
            play(partial(self._life, runtime, first=not life, last=last, away_s=away_s, image=image))
            runtime = image or runtime
        found = ((check.name, check.violations) for check in verify(runtime).checks if check.violations)
        self.wrong += [f"{name}: {lines[0]}" for name, lines in found if not name.startswith(RACES)]
        return self.wrong

    def _mishaps(self) -> Iterator[Fault]:
        for _ in range(self._random.choice((0, 1, 2, 3))):
            at_ns = at_et(DAY, f"09:{self._random.randint(36, 44):02}:{self._random.randint(0, 59):02}")
            if self._random.random() < 0.65:
                name, count = self._random.choice(FAULTS), self._random.choice((1, 1, 2, 3))
                yield Fault(name, at_ns, count=count, symbol="SPY")
            else:
                name = self._random.choice(OUTAGES)
                symbol = "" if name in WHOLE_LINK else "SPY"
                yield Fault(name, at_ns, seconds=self._random.choice((3, 8, 20, 60)), symbol=symbol)

    async def _life(self, runtime: Path, *, first: bool, last: bool, away_s: int, image: Path | None) -> None:
        start = "09:34" if first else None
        async with Hand(runtime, start=start, settings=RICH, faults=self._faults, away_s=away_s) as lab:
            if first:
                await lab.until("09:36")
            self._since.clear()
            self._at_ns = lab.now()
            for _ in range(self._random.randint(15, 40)):
                await self._deed(lab)
            if image is not None:
                shutil.copytree(runtime, image, ignore=shutil.ignore_patterns("*.sock", "engine.lock"))
            if last:
                await self._end(lab)
            for asked in self._asked:
                asked.cancel()
            self._asked.clear()

    async def _end(self, lab: Hand) -> None:
        await self._pass(lab, 5)
        await self._send(lab, Kill(flatten=True, by="end"))
        await self._pass(lab, 150)
        book = register(lab)
        self.wrong += [f"held at the end: {c.label} {h.qty}" for c, h in book.ledger.holdings.items() if h.qty]
        self.wrong += [f"works at the end: {order.ref}" for order in working(book)]
        over = (trade for trade in lab.trades() if trade.entry_ref and not trade.state.is_terminal)
        self.wrong += [f"not over at the end: {trade.id} {trade.state.value}" for trade in over]

    # --- deeds --------------------------------------------------------------------------------------

    async def _deed(self, lab: Hand) -> None:
        deed = self._random.choices(list(DEEDS), list(DEEDS.values()))[0]
        held = [trade for trade in lab.trades() if trade.open_qty > 0]
        orders = lab.rooms.ledger.book.working()
        entries = [order for order in orders if order.ticket.purpose is Purpose.ENTRY]
        command = self._command(lab, deed, held, entries, orders)
        if command is None:
            await self._pass(lab, self._random.choice((0.05, 0.2, 1, 3, 10)))
        else:
            await self._send(lab, command)
        await self._pass(lab, self._random.choice((0, 0.02, 0.05, 0.1, 0.3, 1, 2)))

    def _command(
        self, lab: Hand, deed: str, held: list[Trade], entries: list[Order], orders: tuple[Order, ...]
    ) -> Command | None:
        pick, token = self._random.choice, self._token()
        simple: dict[str, Command] = {
            "flatten": Flatten("a"), "gate": Gate(pick(("open", "reducing", "closed")), "a"),
            "kill": Kill(flatten=pick((True, False)), by="a"), "reconcile": Reconcile("a"),
        }  # fmt: skip
        match deed:
            case "place" if lab.rooms.market.last_price("SPY") is not None:
                return self._place(lab, token)
            case "change" if orders:
                return self._change(lab, pick(orders), token)
            case "part" if held:
                trade = pick(held)
                qty = pick((1, 2, max(int(trade.open_qty) // 2, 1), int(trade.open_qty)))
                return ClosePart(trade.id, qty, "a", token)
            case "close" if held:
                return CloseTrade(pick(held).id, "a")
            case "reverse" if held:
                return ReverseTrade(pick(held).id, token, "a")
            case "cancel" if entries:
                return CancelOrder(pick(entries).ref, "a")
            case _:
                return simple.get(deed)

    def _place(self, lab: Hand, token: str) -> Command:
        pick = self._random.choice
        kind, price = pick(("MARKET", "MARKET", "MID", "LIMIT", "STOP")), f"{pick(range(50, 250)) / 100}"
        ticket = lab.near(
            BUY, off=pick((-1, 0, 0, 1)), qty=pick((1, 2, 3, 5, 40, 200, 400)), kind=kind, right=pick("CP"),
            target_pct=pick(("", "1", "3", "20", "90")), stop_pct=pick(("", "5", "20", "60")),
        )  # fmt: skip
        own = {"LIMIT": {"limit": price}, "STOP": {"stop": price}}.get(kind, {})
        return PlaceOrder(msgspec.structs.replace(ticket, **own), token, pick("ab"))

    def _change(self, lab: Hand, order: Order, token: str) -> Command:
        ticket, quote = order.ticket, lab.rooms.market.quote(order.ticket.contract)
        bid = quote.bid if quote is not None and quote.bid is not None else Decimal(1)

        def near(wanted: bool) -> str:
            off = Decimal(self._random.choice((-20, -5, -2, -1, 0, 1, 2, 5, 20))) / 100
            return f"{bid + off}" if wanted and self._random.random() < 0.6 else ""

        is_exit = ticket.purpose.is_exit
        qty = 0 if is_exit else self._random.choice((0, 1, 2, 5, 50, 300))
        stop = near(is_exit or ticket.stop is not None)
        return ModifyOrder(order.ref, qty, near(ticket.limit is not None), stop, "a", token)

    def _token(self) -> str:
        self._tokens += 1
        return f"k{self._tokens}"

    async def _send(self, lab: Hand, command: Command) -> None:
        """Waits for the answer or goes on without it, as two screens would."""
        self.done.append(f"{lab.now()} {command}")
        asked = asyncio.ensure_future(lab.ask(command))
        self._asked.append(asked)
        asked.add_done_callback(lambda done: self._answered(lab, command, done))
        if self._random.random() < 0.6:
            await lab.during(asyncio.wait([asked]), limit_s=60)

    def _answered(self, lab: Hand, command: Command, done: asyncio.Future[Reply]) -> None:
        if done.cancelled() or done.exception() or not isinstance(reply := done.result(), Ack) or not reply.ok:
            return
        if isinstance(command, CloseTrade):
            self._closing.add(command.trade_id)
        elif isinstance(command, Flatten):
            self._closing |= {trade.id for trade in lab.trades() if trade.open_qty > 0}

    # --- time, and what is looked at ----------------------------------------------------------------

    async def _pass(self, lab: Hand, seconds: float) -> None:
        self._at_ns = max(self._at_ns, lab.now())
        end_ns = self._at_ns + round(seconds * SECOND)
        while self._at_ns < end_ns:
            self._at_ns = min(end_ns, self._at_ns + round(STEP_S * SECOND))
            await lab.run.advance(self._at_ns)
            self._look(lab)

    def _look(self, lab: Hand) -> None:
        held = {contract: holding.qty for contract, holding in register(lab).ledger.holdings.items()}
        offered: dict[Contract, dict[str, Decimal]] = defaultdict(dict)
        for order in working(register(lab)):
            if order.ticket.action is Action.SELL:
                group = offered[order.ticket.contract]
                name = order.group or order.ref
                group[name] = max(group.get(name, Decimal(0)), order.remaining)
        self.wrong += [f"short {contract.label}: {qty}" for contract, qty in held.items() if qty < 0]
        for contract in {*offered, *held}:
            most = sum(offered[contract].values(), Decimal(0))
            self._lasts(lab, ("offered", contract), most > held.get(contract, 0), OFFERED_S, f"{most}")
        self._look_at_screen(lab, held)
        asked = (lab.rooms.ledger.trades.get(trade_id) for trade_id in sorted(self._closing))
        self.wrong += [f"a close of {t.id} is forgotten" for t in asked if t is not None and forgotten(t)]

    def _look_at_screen(self, lab: Hand, held: dict[Contract, Decimal]) -> None:
        positions, shown = lab.floor().positions, defaultdict[Contract, Decimal](Decimal)
        if positions is None or not lab.run.exchange.connected:
            return
        for row in positions.rows:
            trade = lab.trade(row.trade_id)
            if trade.contract is None or not trade.entry_filled:
                continue
            shown[trade.contract] += row.qty
            worth = (row.mark or Decimal(0)) * row.qty * trade.contract.multiplier
            if row.mark is not None and row.pnl != trade.realised + worth:
                self.wrong.append(f"P&L of {row.trade_id}: {row.pnl}")
        for contract in {*shown, *held}:
            qty = held.get(contract, Decimal(0))
            told = f"{shown[contract]}, not {qty}"
            self._lasts(lab, ("shown", contract), shown[contract] != qty, SHOWN_S, told)

    def _lasts(self, lab: Hand, what: tuple[str, Contract], holds: bool, limit_s: int, text: str) -> None:
        if not holds:
            self._since.pop(what, None)
        elif lab.now() - self._since.setdefault(what, lab.now()) > limit_s * SECOND:
            self.wrong.append(f"{what[0]} {what[1].label} for {limit_s} s: {text}")


def forgotten(trade: Trade) -> bool:
    """Whether nothing says of what is held that all of it is to leave."""
    causes = {leg.cause for leg in trade.exits}
    return trade.open_qty > 0 and trade.closing is None and Cause.MANUAL.value not in causes


def register(lab: Hand) -> Register:
    return lab.run.exchange.floor.register


def working(book: Register) -> list[PaperOrder]:
    return [order for order in book.open.values() if order.working]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hands", description=__doc__)
    parser.add_argument("--seeds", default="1-50", help="FIRST-LAST")
    first, _, last = parser.parse_args().seeds.partition("-")
    bad = 0
    for seed in range(int(first), int(last or first) + 1):
        with tempfile.TemporaryDirectory() as home:
            wild = Wild(seed, Path(home))
            wrong = wild.run()
        bad += bool(wrong)
        print(f"seed {seed}: {len(wild.done)} deeds, {wrong[0] if wrong else 'sound'}", flush=True)
        if wrong:
            print("\n".join(f"    {line}" for line in (*wild.done, *wrong[:5])), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
