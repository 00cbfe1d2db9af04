"""The audit: every law held against one reading of the books, and a second one where an engine was at work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from station.domain.errors import VigilError
from station.store.verification import fills, log, money, orders, paper
from station.store.verification.report import Check, VerifyReport
from station.store.verification.rows import Books, Row, read_books

Found = tuple[int, list[str]]

CHECKS: Final[tuple[tuple[str, Callable[[Books], Found]], ...]] = (
    ("hash chain", log.hash_chain),
    ("legal lifecycles", log.legal_lifecycles),
    ("projections equal the log", log.projections),
    ("every execution booked once", fills.booked_once),
    ("positions equal executions", money.positions),
    ("every order has an intent committed before it", orders.intent_first),
    ("working sells outside one OCA group ≤ open quantity", orders.working_sells),
    ("cash adds up", money.cash),
    ("wealth rows match closed trades", money.wealth),
)
PAPER_CHECKS: Final[tuple[tuple[str, Callable[[Books, dict[str, list[Row]]], Found]], ...]] = (
    ("paper book: every execution booked once", paper.executions),
    ("paper book: every order has an intent committed before it", paper.intents),
    ("paper book: positions equal", paper.positions),
    ("paper book: cash adds up", paper.cash),
    ("paper book: never over-sold", paper.never_oversold),
    ("paper book: working exits ≤ open quantity", paper.working_exits),
)


def verify(runtime_dir: Path | str) -> VerifyReport:
    """Hold a runtime directory's books against every law, stopped or running; reads only.

    A missing or broken database is a violation, not an exception. Under a running engine the files are read
    one after the other, so what one reading finds and the next does not was a commit on its way, and is no
    violation.
    """
    runtime = Path(runtime_dir)
    books = read_books(runtime)
    report = _audited(books)
    if report.ok:
        return report
    again = read_books(runtime)
    if again.marks == books.marks:
        return report
    return _in_both(report, _audited(again))


def _audited(books: Books) -> VerifyReport:
    checks = [Check("files are whole", books.files, tuple(books.complaints))]
    checks += [_made(name, partial(law, books)) for name, law in CHECKS]
    if books.paper is not None:
        checks += [_made(name, partial(law, books, books.paper)) for name, law in PAPER_CHECKS]
    return VerifyReport(tuple(checks))


def _made(name: str, law: Callable[[], Found]) -> Check:
    """A row that cannot even be understood breaks the law that needed it."""
    try:
        checked, lines = law()
    except (VigilError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return Check(name, 0, (f"the rows cannot be understood: {type(error).__name__} {error}",))
    return Check(name, checked, tuple(lines))


def _in_both(first: VerifyReport, second: VerifyReport) -> VerifyReport:
    seen = {check.name: set(check.violations) for check in first.checks}
    return VerifyReport(
        tuple(
            Check(c.name, c.checked, tuple(v for v in c.violations if v in seen.get(c.name, ())))
            for c in second.checks
        )
    )
