"""Vigil's command line: opens the screen, starts or finds the engine, and every headless verb.

Exit codes: 0 success, 1 failure, 2 bad usage; never a traceback. JSON is one object on stdout.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from station.engine.options import RunOptions
    from station.engine.starting import Door

ROOT = Path(__file__).resolve().parent
BAD_USAGE = 2


class _Parser(argparse.ArgumentParser):
    """argparse with one clear line instead of a usage dump."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _clock_time(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not HH:MM")
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not YYYY-MM-DD") from None


def _speed(text: str) -> float:
    """0 is as fast as it goes."""
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor max") from None
    if not 0 < speed <= 100_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100000")
    return speed


def _natural(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number


def _session_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--broker", choices=("paper", "replay", "ibkr"), default=None)
    _runtime_option(parser)
    _profile_option(parser)
    parser.add_argument("--seed", type=_natural, default=None, metavar="N")
    parser.add_argument(
        "--speed", type=_speed, default=None, metavar="X|max", help="simulated seconds a second"
    )
    parser.add_argument("--date", type=_day, default=None, metavar="YYYY-MM-DD")
    parser.add_argument("--start", type=_clock_time, default=None, metavar="HH:MM", help="ET")
    parser.add_argument("--until", type=_clock_time, default=None, metavar="HH:MM", help="ET")
    parser.add_argument("--bars", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--symbol", default=None, metavar="S")
    parser.add_argument(
        "--away", type=_natural, default=0, metavar="S", help="seconds that pass before a resume"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_natural, default=None, metavar="N")
    parser.add_argument("--client-id", type=_natural, default=None, metavar="N")
    parser.add_argument("--clock", choices=("wall", "broker"), default="wall")
    parser.add_argument("--in-process", action="store_true", help="screen and engine in one process")


def _runtime_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runtime", type=Path, default=ROOT / "runtime", metavar="DIR")


def _profile_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile", default="", metavar="NAME", help="a paper account of its own, see `profiles`"
    )


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _parser() -> _Parser:
    parser = _Parser(prog="python app.py", description="Vigil, a trading station for the terminal.")
    _session_options(parser)
    parser.add_argument(
        "--read-only", action="store_true", help="look on at a running engine: this screen can send nothing"
    )
    verbs = parser.add_subparsers(dest="verb", metavar="verb", parser_class=_Parser)
    _switches(verbs)
    _books(verbs)
    _questions(verbs)
    _journal(verbs)
    _profiles(verbs)
    _emulated(verbs)
    return parser


def _switches(verbs: Any) -> None:
    run = verbs.add_parser("run", help="the engine headless in the foreground")
    _session_options(run)
    run.add_argument("--summary", type=Path, default=None, metavar="FILE", help="write JSON at the end")
    _simple(verbs, "status", "what the running engine says of itself")
    kill = _simple(verbs, "kill", "kill switch on: cancel, refuse; --flatten closes, --release ends it")
    kill.add_argument("--flatten", action="store_true")
    kill.add_argument("--release", action="store_true")
    kill.add_argument("--confirm", default=None, metavar="WORD", help="the word a release asks for")
    _simple(verbs, "flatten", "close every position at market")
    gate = _simple(verbs, "gate", "set the market gate, or lift the quarantine of a symbol")
    gate.add_argument("state", nargs="?", choices=("open", "closed", "reducing"))
    gate.add_argument("--lift", default=None, metavar="SYMBOL", help="free a quarantined symbol for entries")
    gate.add_argument("--confirm", default=None, metavar="WORD", help="the word a lift asks for")
    _simple(verbs, "stop", "stop the running engine in order")
    _simple(verbs, "takeover", "make the running engine give up its lease")


def _books(verbs: Any) -> None:
    _simple(verbs, "trades", "the trades of a runtime directory")
    _simple(verbs, "story", "one trade from signal to wealth").add_argument("id", metavar="ID")
    _simple(verbs, "scanners", "the scanner catalogue")
    _simple(verbs, "verify", "check every book against every other")
    _simple(verbs, "replay-log", "rebuild the state from the event log and compare")
    _simple(verbs, "stats", "figures of closed trades, by strategy, scanner, hour and cause")
    report = _simple(verbs, "report", "the report of one day, Markdown or CSV")
    report.add_argument(
        "--date", type=_day, default=None, metavar="YYYY-MM-DD", help="default: the last day traded"
    )
    report.add_argument("--period", choices=("day", "week", "month"), default="day", help="up to the date")
    report.add_argument("--csv", action="store_true", help="CSV instead of Markdown")
    _simple(verbs, "wealth", "where the account stands against its wealth plan, week by week")
    scan = _simple(verbs, "scan", "every firing of a scanner over a bar file, ungated")
    scan.add_argument("--bars", type=Path, required=True, metavar="FILE")
    scan.add_argument("--symbol", default=None, metavar="S")
    scan.add_argument("--timeframe", default=None, metavar="TF")
    scan.add_argument("--scanner", required=True, metavar="NAME")


def _questions(verbs: Any) -> None:
    preflight = _simple(verbs, "preflight", "every risk verdict on a proposal, and the portfolio")
    preflight.add_argument("--proposal", type=Path, required=True, metavar="FILE", help="a JSON object")
    why = _simple(verbs, "why", "what fired, matched and was blocked")
    why.add_argument("--symbol", default=None, metavar="S")
    why.add_argument("--at", type=_clock_time, default=None, metavar="HH:MM", help="ET")
    bench = _simple(verbs, "bench", "the budgets, measured here and now")
    bench.add_argument("--wire", action="store_true", help="also over the TWS wire")
    bench.add_argument("--trials", type=_natural, default=200, metavar="N")
    bench.add_argument("--quick", action="store_true", help="without the whole session under load")
    _simple(verbs, "doctor", "is everything ready before the open")


def _journal(verbs: Any) -> None:
    journal = _simple(verbs, "journal", "trades found by date, symbol, strategy, result, tag or text")
    journal.add_argument("--date", default="", metavar="YYYY-MM-DD", help="the day they were opened")
    for name in ("symbol", "strategy", "tag"):
        journal.add_argument(f"--{name}", default="", metavar=name.upper())
    journal.add_argument("--result", default="", metavar="R", help="win, loss, flat, open, refused or any")
    journal.add_argument("--text", default="", metavar="TEXT", help="anywhere in a trade, its notes and tags")
    note = _simple(verbs, "note", "write a line about a trade into the journal")
    note.add_argument("id", metavar="ID")
    note.add_argument("text", metavar="TEXT")
    tag = _simple(verbs, "tag", "put a tag on a trade, or take it off")
    tag.add_argument("id", metavar="ID")
    tag.add_argument("tag", metavar="TAG")
    tag.add_argument("--off", action="store_true", help="take it off")


def _profiles(verbs: Any) -> None:
    profiles = _simple(verbs, "profiles", "paper accounts side by side; --reset begins one anew")
    profiles.add_argument("--reset", default=None, metavar="NAME", help="set its books aside, never deleted")
    profiles.add_argument("--confirm", default=None, metavar="WORD", help="the word a reset asks for")


def _emulated(verbs: Any) -> None:
    emulator = verbs.add_parser("emulator", help="the TWS wire emulator on a loopback port")
    _runtime_option(emulator)
    emulator.add_argument("--port", type=_natural, required=True, metavar="N")
    emulator.add_argument("--seed", type=_natural, required=True, metavar="N")
    emulator.add_argument("--speed", type=_speed, default=1.0, metavar="X")
    emulator.add_argument("--date", type=_day, default=None, metavar="YYYY-MM-DD")
    emulator.add_argument("--fault", action="append", default=[], metavar="NAME[@HH:MM:SS]")


def _simple(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text)
    _runtime_option(verb)
    _profile_option(verb)
    _json_option(verb)
    return verb


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter is no reason to fail.
            stream.reconfigure(errors="replace")
    from config.files import ConfigError
    from station.domain.errors import BadInput, VigilError

    arguments = _parser().parse_args(argv)
    verb = arguments.verb or "floor"
    try:
        if getattr(arguments, "profile", ""):
            from station.engine.profiles import runtime_of

            arguments.runtime = runtime_of(arguments.runtime, arguments.profile)
        return _dispatch(verb)(arguments)
    except (BadInput, ConfigError) as error:
        print(f"vigil: {error}", file=sys.stderr)
        return int(getattr(error, "exit_code", BAD_USAGE))
    except VigilError as error:
        print(f"vigil: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line for the trader, the rest kept
        return _crashed(error)


def _crashed(error: Exception) -> int:
    """An error of our own: one line on the terminal, the traceback in a file for whoever mends it."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="vigil-crash-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    print(f"vigil: internal error: {type(error).__name__}: {error} (details: {file.name})", file=sys.stderr)
    return 1


def _dispatch(verb: str) -> Callable[[argparse.Namespace], int]:
    if verb == "floor":
        return _floor
    if verb == "run":
        return _run
    if verb == "emulator":
        return _emulator
    return lambda arguments: _answer(verb, arguments)


def _floor(arguments: argparse.Namespace) -> int:
    from config.catalogue import load_keys
    from station.engine.starting import ensure_engine

    options = _options(arguments)
    _may_open(arguments, options)
    keys = load_keys()
    door = None if options.in_process else ensure_engine(options)

    # The screen's own loading runs beside the engine's.
    import asyncio

    from station.clock import WallClock
    from station.link import Link, LinkClient

    _check_keys(keys, door)

    from widgets.running import run_floor

    clock = WallClock()

    def screen(
        link: Callable[[], Link], can_detach: bool, opened: asyncio.Future[None] | None = None
    ) -> Coroutine[Any, Any, str]:
        return run_floor(
            link, clock=clock, keys=keys, can_detach=can_detach, read_only=arguments.read_only,
            folder=options.runtime, opened=opened,
        )  # fmt: skip

    if door is None:
        from station.engine.launch import run_with_screen

        return run_with_screen(options, lambda link: screen(link, False))
    socket, role = options.runtime / "engine.sock", "observer" if arguments.read_only else "screen"

    async def attached() -> str:
        opened = asyncio.ensure_future(door(clock))
        return await screen(lambda: LinkClient(socket, clock=clock, role=role, opened=opened), True, opened)

    return _parted(asyncio.run(attached()))


def _may_open(arguments: argparse.Namespace, options: RunOptions) -> None:
    """Raises BadInput where there is nothing to look on at, or nothing to paint on."""
    from station.domain.errors import BadInput
    from station.engine.lease import is_held

    if arguments.read_only and (options.in_process or not is_held(options.runtime)):
        raise BadInput(f"no engine runs in {options.runtime}: --read-only looks on at one that does")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput("the floor needs a terminal on stdin and stdout: run it in one, or use the verb `run`")


def _check_keys(keys: Mapping[str, str], door: Door | None) -> None:
    """Raises BadInput where two actions have one key; the engine that was started for the screen ends then."""
    from station.domain.errors import BadInput
    from widgets.keymap import remapped

    try:
        remapped(keys)
    except BadInput:
        if door is not None:
            door.withdraw()
        raise


def _parted(reason: str) -> int:
    """Tell how the screen and the engine parted; the exit code."""
    if reason == "detach":
        print("detached: the engine goes on; `python app.py` attaches again, `python app.py stop` ends it")
    elif reason == "left":
        print("left: the engine was not reached; `python app.py status` tells whether one runs")
    return 1 if reason == "failed" else 0


def _run(arguments: argparse.Namespace) -> int:
    from station.engine.launch import run_headless

    return run_headless(_options(arguments), arguments.summary, lambda line: print(line, flush=True))


def _emulator(arguments: argparse.Namespace) -> int:
    from station.engine.launch import run_emulator

    return run_emulator(
        runtime=arguments.runtime, port=arguments.port, seed=arguments.seed, speed=arguments.speed,
        day=arguments.date, faults=tuple(arguments.fault), say=lambda line: print(line, flush=True),
    )  # fmt: skip


def _answer(verb: str, arguments: argparse.Namespace) -> int:
    from station.engine.verbs import VERBS

    outcome = VERBS[verb](arguments)
    if arguments.json:
        print(json.dumps(outcome.document, ensure_ascii=False))
    elif outcome.text:
        print(outcome.text)
    return outcome.code


def _options(arguments: argparse.Namespace) -> Any:
    from station.engine.options import RunOptions

    return RunOptions(
        runtime=arguments.runtime.resolve(), broker=arguments.broker, seed=arguments.seed,
        speed=arguments.speed, day=arguments.date, start=arguments.start, until=arguments.until,
        bars=tuple(arguments.bars), symbol=arguments.symbol, away_s=arguments.away, host=arguments.host,
        port=arguments.port, client_id=arguments.client_id, broker_clock=arguments.clock == "broker",
        in_process=arguments.in_process,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
