"""The order line: `buy 2 SPX 5940C 0dte @ mid tp 23% sl 22%`, one line of words turned into an order.

    ACTION QTY SYMBOL [STRIKE+RIGHT [EXPIRY]] [stop TRIGGER] [@ PRICE] [tp G] [sl G] [conf N] [override]

PRICE is `mid`, `market` or a limit; G a price or a percentage. What follows the contract stands in any order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from widgets.order import BUY, LIMIT, MARKET, MID, SELL, STOP, STOP_LIMIT, TODAY, Guard, Order

GRAMMAR: Final = (
    ("buy 2 SPX 5940C", "Today's option, at mid."),
    ("1dte weekly 20261120", "Another expiry; a date."),
    ("@ mid @ market @ 4.20", "At mid, at market, at a limit."),
    ("stop 4.50", "A stop; with @ 4.55 a stop-limit."),
    ("tp 23% tp 5.20", "Take profit, in percent or at a price."),
    ("sl 22% sl 3.30", "Stop loss, in percent or at a price."),
    ("conf 70", "How sure you are, 0 to 100."),
    ("override", "Ask past the rules that may be overridden."),
)
"""Examples and what they mean, for the help."""

ACTIONS: Final = {"buy": BUY, "b": BUY, "sell": SELL, "s": SELL}
PRICES: Final = {"mid": MID, "market": MARKET, "mkt": MARKET}
CLAUSES: Final = ("@", "tp", "sl", "stop", "conf", "override")
CYCLES: Final = ("weekly", "monthly")
MAX_QTY: Final = 9999
MAX_DTE: Final = 365

_WORD: Final = re.compile(r"@|[^\s@]+")
_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9.]{0,9}", re.ASCII)
_CONTRACT: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([CP])", re.ASCII)
_LIKE_CONTRACT: Final = re.compile(r"[\d.]+[CP]")
_NUMBER: Final = re.compile(r"\d{1,7}(?:\.\d{1,4})?|\.\d{1,4}", re.ASCII)
_TURNED: Final = re.compile(r"[CP]\d{1,5}", re.ASCII)
"""A right before its strike."""
_DTE: Final = re.compile(r"(\d{1,3})dte", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)


class LineFault(ValueError):
    """What is wrong with an order line, in one line; `start` and `end` are the columns of the word meant."""

    def __init__(self, text: str, start: int, end: int) -> None:
        super().__init__(text)
        self.start = start
        self.end = max(end, start + 1)


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def words_of(line: str) -> list[Word]:
    """The words of a line and where they stand; `@` is one of its own."""
    return [Word(found.group(), found.start()) for found in _WORD.finditer(line)]


@dataclass
class _Reading:
    """The words of one line, taken one after another."""

    line: str
    words: list[Word]
    at: int = 0
    said: dict[str, Word] = field(default_factory=dict[str, "Word"])

    @property
    def next(self) -> Word | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def take(self, wanted: str) -> Word:
        """The next word. Raises LineFault behind the last one, saying what is `wanted`."""
        word = self.next
        if word is None:
            end = len(self.line.rstrip())
            raise LineFault(f"{wanted} is missing here", end + (end > 0), end + 1)
        self.at += 1
        return word

    def once(self, word: Word) -> None:
        """Note a clause. Raises LineFault where it was said before."""
        name = word.text.lower()
        if name in self.said:
            raise LineFault(f"{name} is said twice: leave one out", word.start, word.end)
        self.said[name] = word


def parse(line: str) -> Order:
    """The order that `line` means. Raises LineFault, and nothing else, for any text."""
    reading = _Reading(line, words_of(line))
    action = _action(reading.take("buy or sell"))
    qty = _quantity(reading.take("a quantity, as 2"))
    symbol = _symbol(reading.take("a symbol, as SPX"))
    strike, right, expiry = _contract(reading)
    terms = _Terms()
    while (word := reading.next) is not None:
        reading.at += 1
        name = word.text.lower()
        if name not in _TERMS:
            raise _stray(word, option=strike is not None)
        reading.once(word)
        _TERMS[name](terms, reading)
    kind = _kind(terms, reading)
    return Order(
        action, qty, symbol, strike, right, expiry, kind, terms.limit, terms.trigger, terms.target, terms.stop,
        terms.confidence, terms.override,
    )  # fmt: skip


def _wrong(word: Word, text: str) -> LineFault:
    told = "".join(letter if letter.isprintable() else "?" for letter in word.text[:20])
    return LineFault(f"{told!r} {text}", word.start, word.end)


def _action(word: Word) -> str:
    action = ACTIONS.get(word.text.lower())
    if action is None:
        raise _wrong(word, "is no order: begin with buy or sell")
    return action


def _quantity(word: Word) -> int:
    text = word.text
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_QTY):
        raise _wrong(word, f"is no quantity: give a whole number, 1 to {MAX_QTY}")
    return int(text)


def _symbol(word: Word) -> str:
    if not word.text.isascii() or not _SYMBOL.fullmatch(word.text.upper()):
        raise _wrong(word, "is no symbol: as SPX or BRK.B")
    return word.text.upper()


def _contract(reading: _Reading) -> tuple[Decimal | None, str, str]:
    """Strike, right and expiry where the next words are an option's."""
    word = reading.next
    found = _CONTRACT.fullmatch(word.text.upper()) if word is not None and word.text.isascii() else None
    if word is None or found is None:
        if word is not None and _LIKE_CONTRACT.fullmatch(word.text.upper()):
            raise _wrong(word, "is no strike: up to six digits and three decimals, as 5940C or 592.5P")
        return None, "", ""
    strike = Decimal(found.group(1))
    if not strike:
        raise _wrong(word, "has no strike: as 5940C")
    reading.at += 1
    following = reading.next
    expiry = _expiry(following) if following is not None else ""
    if expiry:
        reading.at += 1
    return strike, found.group(2), expiry or TODAY


def _expiry(word: Word) -> str:
    """The expiry a word names; empty where it names none. Raises LineFault for a day that is none."""
    text = word.text.lower()
    if text in CYCLES:
        return text
    if days := _DTE.fullmatch(text):
        if int(days.group(1)) > MAX_DTE:
            raise _wrong(word, f"is too far: at most {MAX_DTE}dte")
        return f"{int(days.group(1))}dte"
    found = _DATE.fullmatch(text)
    if found is None:
        return ""
    try:
        return date(*map(int, found.groups())).isoformat().replace("-", "")
    except ValueError:
        raise _wrong(word, "is no day of the calendar: as 20261120") from None


def _stray(word: Word, *, option: bool) -> LineFault:
    looks = word.text.upper()
    if not option and (looks.lower() in CYCLES or _DTE.fullmatch(looks.lower()) or _DATE.fullmatch(looks)):
        return _wrong(word, "is an expiry, and no strike stands before it: as 5940C 0dte")
    if looks[-1:] in ("C", "P") and looks[:-1].isdigit():
        return _wrong(word, "is an option: it belongs right behind the symbol")
    if _NUMBER.fullmatch(word.text):
        strike = "" if option or not looks.isdigit() else f"a strike is {looks}C or {looks}P, "
        return _wrong(word, f"is a number alone: {strike}a limit is @ {word.text}")
    if not option and (looks in ("C", "P", "CALL", "PUT") or _TURNED.fullmatch(looks)):
        return _wrong(word, "wants the strike before it, as 5940C")
    return _wrong(word, f"means nothing here: {' '.join(CLAUSES)}")


# --- the clauses ---------------------------------------------------------------------------------------


@dataclass
class _Terms:
    kind: str = ""
    limit: Decimal | None = None
    trigger: Decimal | None = None
    target: Guard | None = None
    stop: Guard | None = None
    confidence: int | None = None
    override: bool = False


def price_of(text: str) -> Decimal | None:
    """A price over zero; None where `text` is none."""
    value = Decimal(text) if _NUMBER.fullmatch(text) else Decimal(0)
    return value or None


def guard_of(text: str, *, losing: bool) -> Guard | None:
    """A price, or a percentage (under 100 where it is lost); None where `text` is neither."""
    percent = text.endswith("%")
    value = price_of(text.removesuffix("%").removeprefix("+" if percent else ""))
    if value is None or (percent and value >= (100 if losing else 10_000)):
        return None
    return Guard(value, percent)


def _price(reading: _Reading, wanted: str) -> Decimal:
    word = reading.take(wanted)
    value = price_of(word.text)
    if value is None:
        raise _wrong(word, f"is no price: {wanted}")
    return value


def _at(terms: _Terms, reading: _Reading) -> None:
    word = reading.next
    kind = PRICES.get(word.text.lower()) if word is not None else None
    if kind is not None:
        reading.at += 1
        terms.kind = kind
        return
    terms.limit = _price(reading, "mid, market or a limit, as @ 4.20")


def _trigger(terms: _Terms, reading: _Reading) -> None:
    terms.trigger = _price(reading, "the price that triggers it, as stop 4.50")


def _guard(reading: _Reading, name: str, *, losing: bool) -> Guard:
    word = reading.take(f"a price or a percentage, as {name} 23%")
    guard = guard_of(word.text, losing=losing)
    if guard is None:
        most = "under 100%" if losing else "as 23%"
        raise _wrong(word, f"is no {name}: a price, or a percentage {most}")
    return guard


def _target(terms: _Terms, reading: _Reading) -> None:
    terms.target = _guard(reading, "tp", losing=False)


def _stop(terms: _Terms, reading: _Reading) -> None:
    terms.stop = _guard(reading, "sl", losing=True)


def confidence_of(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100):
        return None
    return int(text)


def _confidence(terms: _Terms, reading: _Reading) -> None:
    word = reading.take("your confidence, 0 to 100")
    terms.confidence = confidence_of(word.text)
    if terms.confidence is None:
        raise _wrong(word, "is no confidence: a whole number, 0 to 100")


def _override(terms: _Terms, _reading: _Reading) -> None:
    terms.override = True


_TERMS: Final[dict[str, Callable[[_Terms, _Reading], None]]] = {
    "@": _at, "tp": _target, "sl": _stop, "stop": _trigger, "conf": _confidence, "override": _override,
}  # fmt: skip


def _kind(terms: _Terms, reading: _Reading) -> str:
    if terms.trigger is None:
        return LIMIT if terms.limit is not None else terms.kind or MID
    if terms.kind == MID:
        at = reading.said["@"]
        raise LineFault("a stop fills at market or at a limit, not at mid", at.start, at.end)
    return STOP_LIMIT if terms.limit is not None else STOP


# --- completion ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """What the screen can offer: watched symbols, the options of the chain it shows, at the money first, and by
    symbol those at the money of the others."""

    symbols: Sequence[str] = ()
    chain_symbol: str = ""
    contracts: Sequence[str] = ()
    others: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


def completions(line: str, known: Known) -> tuple[str, ...]:
    """What the word at the end of `line` may become, the likeliest first; empty where nothing fits."""
    words = words_of(line)
    typing = "" if not words or line[-1:].isspace() or line.endswith("@") else words.pop().text
    offers = _offers([word.text.lower() for word in words], known)
    return tuple(one for one in offers if one.lower().startswith(typing.lower()))


def completed(line: str, known: Known) -> str:
    """`line` with its last word completed; the line itself where nothing is offered."""
    offers = completions(line, known)
    if not offers:
        return line
    words = words_of(line)
    fresh = not words or line[-1:].isspace() or line.endswith("@")
    head = line if fresh else line[: words[-1].start]
    return f"{head}{' ' if head.endswith('@') else ''}{offers[0]}"


def _offers(before: list[str], known: Known) -> Sequence[str]:
    if len(before) < 3:
        return (("buy", "sell"), ("1", "2"), known.symbols)[len(before)]
    last = before[-1]
    following: dict[str, Sequence[str]] = {
        "@": ("mid", "market"), "tp": ("23%",), "sl": ("22%",), "conf": ("70",), "stop": (),
    }  # fmt: skip
    if last in following:
        return following[last]
    clauses = tuple(one for one in CLAUSES if one not in before)
    if len(before) == 3:
        symbol = before[2].upper()
        ours = known.contracts if symbol == known.chain_symbol else known.others.get(symbol, ())
        return (*ours, *clauses)
    if len(before) == 4 and _CONTRACT.fullmatch(last.upper()):
        return (TODAY, "1dte", *CYCLES, *clauses)
    return clauses
