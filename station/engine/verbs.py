"""The verbs that answer and end: each takes the parsed arguments and returns an Outcome."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, Final

from rich.console import Console, RenderableType

from station.domain.errors import BadInput, Fatal
from station.engine.lease import is_held
from station.link import (
    Ack,
    Command,
    Flatten,
    Gate,
    Kill,
    KillRelease,
    LiftQuarantine,
    LinkDown,
    NoteTrade,
    Query,
    Scanners,
    Status,
    Stop,
    TagTrade,
    Takeover,
    request,
)

SOCKET: Final = "engine.sock"
BY: Final = "command line"
ANSWER_LIMIT_S: Final = 30.0


@dataclass(frozen=True)
class Outcome:
    """What a verb answers: a document for --json, lines for people, and the exit code."""

    document: dict[str, Any]
    text: str
    code: int = 0


# --- against the running engine ----------------------------------------------------------------------


def _ask(runtime: Path, command: Command) -> dict[str, Any] | Ack:
    """The engine's document or acknowledgement. Raises Fatal in one line where none answers."""
    if not is_held(runtime):
        raise Fatal(f"no engine runs in {runtime}: start one with `python app.py` or `python app.py run`")
    try:
        reply = asyncio.run(request(runtime / SOCKET, command, ANSWER_LIMIT_S))
    except LinkDown as error:
        raise Fatal(f"the engine in {runtime} gave no answer: {error}") from None
    return reply if isinstance(reply, Ack) else json.loads(reply.json)


def _command(arguments: argparse.Namespace, command: Command) -> Outcome:
    found = _ask(arguments.runtime, command)
    assert isinstance(found, Ack)
    document = {"v": 1, "ok": found.ok, "text": found.text, "code": found.code}
    return Outcome(document, found.text if found.ok else f"refused: {found.text}", 0 if found.ok else 1)


def status(arguments: argparse.Namespace) -> Outcome:
    document = _ask(arguments.runtime, Status())
    assert isinstance(document, dict)
    lines = [f"{key:16} {value}" for key, value in document.items() if key not in ("v", "tasks", "feeds")]
    for task in document.get("tasks", []):
        state = "up" if task["running"] else "DOWN"
        lines.append(
            f"task {task['name']:11} {state}, {task['restarts']} restarts {task['last_error']}".rstrip()
        )
    for feed in document.get("feeds", []):
        lines.append(f"feed {feed['symbol']:11} {feed['mode']} age {feed['age_s']} s, quality {feed['score']}")
    return Outcome(document, "\n".join(lines))


def kill(arguments: argparse.Namespace) -> Outcome:
    if not arguments.release:
        told = _command(arguments, Kill(flatten=arguments.flatten, by=BY))
        return told if told.code else replace(told, text=f"kill switch ON: {told.text}")
    word = arguments.confirm
    if word is None:
        raise BadInput("kill --release needs its confirmation typed: add --confirm RELEASE")
    return _command(arguments, KillRelease(word=word, by=BY))


def flatten(arguments: argparse.Namespace) -> Outcome:
    return _command(arguments, Flatten(by=BY))


def gate(arguments: argparse.Namespace) -> Outcome:
    if (arguments.state is None) == (arguments.lift is None):
        raise BadInput("gate needs a state (open, closed, reducing) or --lift SYMBOL, one of the two")
    if arguments.lift is not None:
        if arguments.confirm is None:
            raise BadInput("gate --lift needs its confirmation typed: add --confirm RELEASE")
        return _command(arguments, LiftQuarantine(symbol=arguments.lift, word=arguments.confirm, by=BY))
    return _command(arguments, Gate(state=arguments.state, by=BY))


def stop(arguments: argparse.Namespace) -> Outcome:
    return _command(arguments, Stop(by=BY))


def takeover(arguments: argparse.Namespace) -> Outcome:
    return _command(arguments, Takeover(by=BY))


# --- against a runtime directory, running or stopped --------------------------------------------------


def trades(arguments: argparse.Namespace) -> Outcome:
    from station.journal import open_journal
    from station.journal.tables import trades_table

    with open_journal(arguments.runtime) as journal:
        document = asyncio.run(journal.trades())
    return Outcome(document, _rendered(trades_table(document)))


def story(arguments: argparse.Namespace) -> Outcome:
    from station.journal import open_journal
    from station.journal.album import Album
    from station.journal.tables import story_text

    with open_journal(arguments.runtime) as journal:
        document = asyncio.run(journal.story(arguments.id))
        trade = asyncio.run(journal.trade(arguments.id))
    document["pictures"] = [str(path) for path in Album(arguments.runtime).of(trade)]
    return Outcome(document, _rendered(story_text(document)))


def stats(arguments: argparse.Namespace) -> Outcome:
    from station.journal import open_journal
    from station.journal.statistics import document as figures

    with open_journal(arguments.runtime) as journal:
        document = figures(asyncio.run(journal.every_trade()))
    lines = [f"{name:16} {value}" for name, value in document["all"].items()]
    for kind, members in document["by"].items():
        lines += ["", f"by {kind}"]
        lines += [
            f"  {name:26} {f['trades']:4} trades {f['wins']:4} won {f['net_pnl']:>12}"
            for name, f in members.items()
        ]
    return Outcome(document, "\n".join(lines))


def report(arguments: argparse.Namespace) -> Outcome:
    from station.calendars import et_date
    from station.engine.reports import report_of
    from station.journal import open_journal

    with open_journal(arguments.runtime) as journal:
        trades = asyncio.run(journal.every_trade())
    if not trades and arguments.date is None:
        raise BadInput(f"{arguments.runtime} has no trade to report on: name a --date")
    day = arguments.date or et_date(max(trade.opened_ns for trade in trades))
    text = report_of(arguments.runtime, trades, day, arguments.period, as_csv=arguments.csv)
    document = {"v": 1, "date": day.isoformat(), "period": arguments.period, "report": text}
    return Outcome(document, text.rstrip())


def journal(arguments: argparse.Namespace) -> Outcome:
    from station.journal import open_journal
    from station.journal.entries import JournalFilter
    from station.journal.tables import journal_table

    names = ("date", "symbol", "strategy", "result", "tag", "text")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name)}
    wanted = JournalFilter.parse(given)
    with open_journal(arguments.runtime) as book:
        document = asyncio.run(book.entries(wanted))
    return Outcome(document, _rendered(journal_table(document)))


def note(arguments: argparse.Namespace) -> Outcome:
    return _command(arguments, NoteTrade(trade_id=arguments.id, text=arguments.text, by=BY))


def tag(arguments: argparse.Namespace) -> Outcome:
    return _command(arguments, TagTrade(trade_id=arguments.id, tag=arguments.tag, on=not arguments.off, by=BY))


def wealth(arguments: argparse.Namespace) -> Outcome:
    from station.engine.reports import standing_of
    from station.journal.wealth import wealth_document, wealth_markdown

    found = standing_of(arguments.runtime)
    return Outcome(wealth_document(found), "\n".join(wealth_markdown(found)) or "no plan has begun here")


def scanners(arguments: argparse.Namespace) -> Outcome:
    from station.engine.documents import scanner_document
    from station.engine.stopped import desired_of

    if is_held(arguments.runtime):
        found = _ask(arguments.runtime, Scanners())
        document = (
            found if isinstance(found, dict) else scanner_document(desired_of(arguments.runtime).scanners)
        )
    else:
        document = scanner_document(desired_of(arguments.runtime).scanners)
    lines = [
        f"{row['name']:26} {row['family']:14} {row['instrument']:5} {row['timeframe']:4} {row['side']:5} "
        f"cooldown {row['cooldown_s']:>5} s  warm {row['warmup_bars']:>5}  {'on' if row['enabled'] else 'off'}"
        for row in document["scanners"]
    ]
    return Outcome(document, "\n".join(lines))


def verify(arguments: argparse.Namespace) -> Outcome:
    from station.store import verify as check

    _require_directory(arguments.runtime)
    report = check(arguments.runtime)
    document = report.shape()
    lines: list[str] = []
    for row in document["checks"]:
        bad = len(row["violations"])
        lines.append(f"{'ok ' if not bad else 'BAD'} {row['name']:34} {row['checked']:>6} checked")
        lines += [f"      {text}" for text in row["violations"]]
    return Outcome(document, "\n".join(lines), 0 if document["ok"] else 1)


def replay_log(arguments: argparse.Namespace) -> Outcome:
    from station.store import replay_log as rebuild

    _require_directory(arguments.runtime)
    report = rebuild(arguments.runtime)
    document = report.shape()
    differences = document["differences"]
    text = "\n".join(differences) if differences else "the log rebuilds the state exactly"
    return Outcome(document, text, 0 if document["ok"] else 1)


def scan(arguments: argparse.Namespace) -> Outcome:
    from station.calendars import load_calendar
    from station.engine.documents import scan_document
    from station.engine.stopped import desired_of

    specs = {spec.name: spec for spec in desired_of(arguments.runtime).scanners}
    spec = specs.get(arguments.scanner)
    if spec is None:
        raise BadInput(
            f"no scanner named {arguments.scanner!r}: `python app.py scanners` lists the {len(specs)}"
        )
    calendar = load_calendar(arguments.runtime / "cache")
    document = scan_document(spec, arguments.bars, arguments.symbol, arguments.timeframe, calendar)
    rows = [f"{f['ts_utc']}  {f['side']:4}  {f['score']:>3}" for f in document["firings"]]
    head = f"{document['bars']} bars, {len(rows)} firings, dirt {document['dirt'] or 'none'}"
    return Outcome(document, "\n".join([head, *rows]))


def preflight(arguments: argparse.Namespace) -> Outcome:
    from station.engine.risk_answers import read_proposal, stopped_answer
    from station.engine.risk_documents import risk_text

    text = read_proposal(arguments.proposal)
    document: Any = None
    if is_held(arguments.runtime):
        document = _ask(arguments.runtime, Query("risk", {"proposal": text}))
        if isinstance(document, Ack):
            raise Fatal(document.text) if document.code == "STARTING" else BadInput(document.text)
    else:
        document = stopped_answer(arguments.runtime, text)
    return Outcome(document, risk_text(document))


def why(arguments: argparse.Namespace) -> Outcome:
    from station.engine.why import why_document, why_text

    document = asyncio.run(why_document(arguments.runtime, arguments.symbol, arguments.at))
    return Outcome(document, why_text(document))


def profiles(arguments: argparse.Namespace) -> Outcome:
    from station.engine.profiles import profiles_document, profiles_text, reset

    if arguments.reset is not None:
        kept = reset(arguments.runtime, arguments.reset, arguments.confirm)
        document = {"v": 1, "ok": True, "profile": arguments.reset, "kept": str(kept)}
        return Outcome(document, f"{arguments.reset} begins anew; its books are kept in {kept}")
    document = profiles_document(arguments.runtime)
    return Outcome(document, profiles_text(document))


def bench(arguments: argparse.Namespace) -> Outcome:
    from station.engine.bench import run_bench

    return Outcome(*run_bench(wire=arguments.wire, trials=arguments.trials, quick=arguments.quick))


def doctor(arguments: argparse.Namespace) -> Outcome:
    from station.engine.doctor import examine

    document = examine(arguments.runtime)
    lines = [f"{'ok ' if row['ok'] else 'BAD'} {row['name']:22} {row['detail']}" for row in document["checks"]]
    return Outcome(document, "\n".join(lines), 0 if document["ok"] else 1)


def _require_directory(runtime: Path) -> None:
    if not runtime.is_dir():
        raise BadInput(f"{runtime} is no directory: give the --runtime of a run")


def _rendered(thing: RenderableType) -> str:
    console = Console(file=StringIO(), width=140, no_color=True)
    console.print(thing)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().rstrip()


VERBS: Final[dict[str, Callable[[argparse.Namespace], Outcome]]] = {
    "status": status, "kill": kill, "flatten": flatten, "gate": gate, "stop": stop, "takeover": takeover,
    "trades": trades, "story": story, "scanners": scanners, "verify": verify, "replay-log": replay_log,
    "scan": scan, "stats": stats, "report": report, "wealth": wealth, "journal": journal,
    "note": note, "tag": tag, "bench": bench, "doctor": doctor,
    "preflight": preflight, "why": why, "profiles": profiles,
}  # fmt: skip
