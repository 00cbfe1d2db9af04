"""What crosses the door: commands and replies, and the few words of the wire around them.

`Hello`, `Call`, `Answer`, `Ack`, `Kill`, `Flatten` and `Stop` are the frozen core: they keep their shape in
every protocol version, so that a screen and an engine of different versions can still stop trading.
"""

from __future__ import annotations

from typing import Final

import msgspec

from station.link.asked import Ask

PROTOCOL: Final = 2
MAX_ASKS: Final = 16
CORE_TEXT: Final = "kill, flatten and stop still work"


class Wire(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """Base of every message; the class name is its tag."""


# --- commands ----------------------------------------------------------------------------------------


class Kill(Wire, frozen=True):
    """Kill switch on: cancel what can open or increase exposure; `flatten` also closes every position."""

    flatten: bool = False
    by: str = ""


class KillRelease(Wire, frozen=True):
    """Kill switch off; `word` is what the operator typed, the engine judges it."""

    word: str
    by: str = ""


class Flatten(Wire, frozen=True):
    """Close every position at market without the kill switch."""

    by: str = ""


class Gate(Wire, frozen=True):
    """Set the market gate: `state` is open, reducing or closed."""

    state: str
    by: str = ""


class LiftQuarantine(Wire, frozen=True):
    """Free a quarantined symbol for entries; `word` is what the operator typed, the engine judges it."""

    symbol: str
    word: str
    by: str = ""


class Stop(Wire, frozen=True):
    """Stop the engine in order."""

    by: str = ""


class Takeover(Wire, frozen=True):
    """Ask the running engine to give up its lease."""

    by: str = ""


class Status(Wire, frozen=True):
    """Asks for the `status` document."""


class Trades(Wire, frozen=True):
    """Asks for the `trades` document."""


class Story(Wire, frozen=True):
    """Asks for the `story` document of one trade."""

    trade_id: str


class Scanners(Wire, frozen=True):
    """Asks for the `scanners` document."""


class CloseTrade(Wire, frozen=True):
    """Close one trade's position at market."""

    trade_id: str
    by: str = ""


class CancelOrder(Wire, frozen=True):
    """Cancel one working order by our reference."""

    order_ref: str
    by: str = ""


class Ticket(Wire, frozen=True):
    """An order as a hand writes it; prices, strikes and percents are decimal text, empty where not given.

    `kind` is MID, MARKET, LIMIT, STOP or STOP_LIMIT; `right` C or P, empty for the underlying itself; `expiry`
    0dte, 1dte, weekly, monthly or YYYYMMDD, empty where there is none. The target and the stop of what is
    bought are a price or a percent of the entry price, not both; without a target the house's holds.
    `override` passes the rules that advise, a few times a day; `self_report` is how sure its trader is, 0 to
    100; `valid_s` ends it unfilled sooner than its kind does, 0 leaves that to the kind.
    """

    symbol: str
    action: str = "BUY"
    qty: int = 1
    right: str = ""
    strike: str = ""
    expiry: str = ""
    kind: str = "MID"
    limit: str = ""
    stop: str = ""
    target_price: str = ""
    target_pct: str = ""
    stop_price: str = ""
    stop_pct: str = ""
    override: bool = False
    self_report: str = ""
    valid_s: int = 0


class PreviewOrder(Wire, frozen=True):
    """Asks for the `preview` document: what the ticket would cost, risk and be told by every rule, now."""

    ticket: Ticket


class PlaceOrder(Wire, frozen=True):
    """Place the ticket. `token` is made by the client, once an order: sent again after a lost answer, it places
    nothing more and is answered with what became of the first."""

    ticket: Ticket
    token: str
    by: str = ""


class Taking(msgspec.Struct, frozen=True):
    """What a hand changes of a proposal's terms, as in a Ticket; empty leaves it to its strategy."""

    limit: str = ""
    target_price: str = ""
    target_pct: str = ""
    stop_price: str = ""
    stop_pct: str = ""


class PreviewProposal(Wire, frozen=True):
    """Asks for the `preview` document of taking `qty` (0: all) of what a strategy proposes, now."""

    trade_id: str
    qty: int = 0
    terms: Taking = Taking()


class TakeProposal(Wire, frozen=True):
    """Send `qty` (0: all) of what a strategy proposes, under its own terms but for `terms`. `token` as in
    PlaceOrder."""

    trade_id: str
    token: str
    qty: int = 0
    by: str = ""
    terms: Taking = Taking()


class DeclineProposal(Wire, frozen=True):
    """End what a strategy proposes; nothing is sent."""

    trade_id: str
    by: str = ""


class ModifyOrder(Wire, frozen=True):
    """Change a working order. Of an entry: size and prices. Of a protective exit: its price alone, which is the
    trade's target (`limit`) or stop (`stop`) from then on. What is 0 or empty stays as it is. `token` as in
    PlaceOrder."""

    order_ref: str
    qty: int = 0
    limit: str = ""
    stop: str = ""
    by: str = ""
    token: str = ""


class ClosePart(Wire, frozen=True):
    """Close `qty` of a trade's position at market; what is left stays protected. `token` as in PlaceOrder."""

    trade_id: str
    qty: int
    by: str = ""
    token: str = ""


class ReverseTrade(Wire, frozen=True):
    """Close a trade at market and, once that has filled, buy the opposite right. `token` as in PlaceOrder."""

    trade_id: str
    token: str
    by: str = ""


class PreviewReverse(Wire, frozen=True):
    """Asks for the `preview` document of what ReverseTrade would buy, as if the trade were closed already."""

    trade_id: str


class CancelAll(Wire, frozen=True):
    """Cancel every working entry; what protects a position stays."""

    by: str = ""


class Reconcile(Wire, frozen=True):
    """Compare the books with the broker now."""

    by: str = ""


class NoteTrade(Wire, frozen=True):
    """Add a line to a trade's notes; the same line twice in a row is one."""

    trade_id: str
    text: str
    by: str = ""


class TagTrade(Wire, frozen=True):
    """Put a tag on a trade, or take it off."""

    trade_id: str
    tag: str
    on: bool = True
    by: str = ""


class EditConfig(Wire, frozen=True):
    """Change one field of a configuration row as last read at `version` (0: it was never stored). `kind` is
    setting, scanner, strategy or switch, `key` its name; settings and switches have no field. `word` is what
    was typed to mean it, where that is needed: a limit loosened in live trading is refused as LOOSENS without
    it."""

    kind: str
    key: str
    value: str
    version: int
    field: str = ""
    by: str = ""
    word: str = ""


class CopyStrategy(Wire, frozen=True):
    """A second strategy like the first, off until it is enabled."""

    strategy_id: str
    to: str
    by: str = ""


class RevertConfig(Wire, frozen=True):
    """Give a row its shipped default back, so that it follows the defaults again. `word` as in EditConfig."""

    kind: str
    key: str
    version: int
    by: str = ""
    word: str = ""


class Query(Wire, frozen=True):
    """Any other question by name; the engine refuses a name it does not know."""

    name: str
    args: dict[str, str] = {}


class Attach(Wire, frozen=True):
    """Start (or re-pace, or re-aim) the floor stream at `hz` snapshots a second. Answered by the server itself.

    `asks` are the parts wanted besides the plain floor, at most MAX_ASKS; an engine that does not know them
    sends the plain floor.
    """

    hz: float = 4.0
    asks: tuple[Ask, ...] = ()


Command = (
    Kill | KillRelease | Flatten | Gate | Stop | Takeover | Status | Trades | Story | Scanners
    | CloseTrade | CancelOrder | PreviewOrder | PlaceOrder | ModifyOrder | ClosePart | ReverseTrade
    | PreviewReverse
    | PreviewProposal | TakeProposal | DeclineProposal | CancelAll | Reconcile | LiftQuarantine
    | NoteTrade | TagTrade | EditConfig | CopyStrategy | RevertConfig | Query | Attach
)  # fmt: skip
CoreCommand = Kill | Flatten | Stop

READ_ONLY_COMMANDS: Final = (
    Status, Trades, Story, Scanners, PreviewOrder, PreviewProposal, PreviewReverse, Query,
    Attach,
)  # fmt: skip
"""What a read-only attach may ask."""


# --- replies -----------------------------------------------------------------------------------------


class Ack(Wire, frozen=True):
    """The answer to an order: done or refused, in one line. `code` is the machine-readable reason, `trade_id`
    the trade that an entry became."""

    ok: bool
    text: str
    code: str = ""
    trade_id: str = ""


class Data(Wire, frozen=True):
    """The answer to a question: one JSON document as text."""

    json: str


Reply = Ack | Data


# --- the wire around them ----------------------------------------------------------------------------


class Hello(Wire, frozen=True):
    """First frame of a client. `role` is screen, verb or observer (read-only)."""

    role: str
    protocol: int = PROTOCOL


class Call(Wire, frozen=True):
    """A command with the number its answer will carry."""

    id: int
    command: msgspec.Raw


class Greeting(Wire, frozen=True):
    """First frame of the server."""

    protocol: int
    pid: int
    accepted: bool
    text: str = ""


class Answer(Wire, frozen=True):
    """The reply to call `id`."""

    id: int
    reply: Ack | Data


class Part(Wire, frozen=True):
    """One changed part of the floor; `version` counts its changes since the engine started."""

    name: str
    version: int
    body: msgspec.Raw


class Pulse(Wire, frozen=True):
    """Nothing changed, but the engine is alive."""


class Farewell(Wire, frozen=True):
    """The engine is going away on purpose."""

    reason: str


ToServer = Hello | Call
ToClient = Greeting | Answer | Part | Pulse | Farewell
