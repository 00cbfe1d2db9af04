"""The engine beside a screen that reads, dies, hangs up or stalls; the screen's own speed, bytes and size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from config.catalogue import load_keys
from station.clock import WallClock
from station.domain.clock import MILLISECOND, SECOND
from station.engine.bench.figures import Figure, figure, quantile
from station.engine.bench.process import Running, running, session
from station.engine.bench.terminal import LIMIT_S, PAINTED, Terminal, painted, resident_mib

PANES: Final = (("feed", "Scanner feed"), ("positions", "Positions"), ("alerts", "Alerts"))
"""Actions of `keys.toml`, and the title that each brings on a screen of one pane."""
SCREENS: Final = (
    ("signals", "Signals"), ("risk", "Risk"), ("scanners", "Scanners"), ("tactics", "Strategies"),
    ("settings", "Configuration"), ("journal", "Journal"), ("performance", "Performance"),
    ("health", "Data health"), ("log", "Log"), ("jobs", "Tasks"),
)  # fmt: skip
"""The same of the screens beside the floor; each title follows its key."""
KEYS: Final = {"f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~", "f7": "\x1b[18~"}
"""What an xterm sends for keys that are no characters."""
LOOK_S: Final = 0.12
SETTLED_S: Final = 1.0
FIRST_S: Final = 1.5
"""What the first pictures of a floor take."""
QUIET_S: Final = 0.03
STILL: Final = 0.001
BEAT_S: Final = 0.25


async def beside_a_screen(
    runtime: Path, trials: int, speed: float, what: str, ends: Sequence[str] = ()
) -> list[Figure]:
    """Loop lag alone, then with a screen that reads, is killed, hangs up and stalls (or only `ends`); each
    against alone."""
    async with running(runtime, session(runtime, speed)) as engine:
        await engine.lag(min(trials, 40))
        alone = await engine.lag(trials)
        found = [figure(f"engine loop lag, no screen, {what}", "ms", alone, 1, 5)]
        for how in ends or ENDS:
            laps = await _lag_beside(engine, session(runtime, speed), trials, how)
            if how == READING:
                found.append(figure(f"engine loop lag, screen {how}, {what}", "ms", laps, 1, 5))
            found.append(_added(alone, laps, f"  added by a screen {how}, {what}"))
        return found


async def _lag_beside(engine: Running, words: list[str], trials: int, how: str) -> list[float]:
    screen = await painted(words, settle_s=SETTLED_S)

    async def meanwhile() -> None:
        ENDS[how](screen)

    laps = await engine.lag(trials, meanwhile)
    await screen.end()
    return laps


def _leave(_: Terminal) -> None:
    return None


def _kill(screen: Terminal) -> None:
    screen.process.kill()


def _hang_up(screen: Terminal) -> None:
    screen.hang_up()


def _stall(screen: Terminal) -> None:
    screen.stall()


def _turn(screen: Terminal) -> None:
    screen.type_on([key for key, _ in _screens()], LOOK_S)


READING: Final = "reading"
ENDS: Final[dict[str, Callable[[Terminal], None]]] = {
    READING: _leave, "turned from screen to screen": _turn, "killed -9": _kill, "hung up": _hang_up,
    "stalled": _stall,
}  # fmt: skip
"""What becomes of the screen while the engine's lag is measured."""


def _added(alone: list[float], laps: list[float], name: str) -> Figure:
    p50 = quantile(laps, 0.5) - quantile(alone, 0.5)
    p99 = quantile(laps, 0.99) - quantile(alone, 0.99)
    return Figure(name, "ms", p50, p99, len(laps), None, 5)


async def starts(runtime: Path, trials: int) -> list[Figure]:
    """`app.py` with no engine running: to the first paint, and to trading. The first start makes the caches."""
    paints, trades = list[float](), list[float]()
    for _ in range(max(trials, 1) + 1):
        screen = Terminal(session(runtime, 1.0))
        engine = Running(runtime)
        paints.append(await screen.shows(PAINTED))
        await engine.trading()
        trades.append((WallClock().perf() - screen.began) / MILLISECOND)
        await engine.stop()
        await screen.end()
    cold = f"cold, with every cache to make: paint {paints[0]:.0f} ms, trading {trades[0]:.0f} ms"
    return [
        figure("start → first paint", "ms", paints[1:], 1000, None, cold),
        figure("start → trading on paper", "ms", trades[1:], 3000),
    ]


async def attached(runtime: Path, trials: int, seconds: float) -> list[Figure]:
    """A screen on a running engine: attach, keys, bytes and memory."""
    async with running(runtime, session(runtime, 1.0)) as engine:
        attaches: list[float] = []
        for _ in range(max(trials // 20, 1)):
            screen = Terminal(session(runtime, 1.0))
            attaches.append(await screen.shows(PAINTED))
            await screen.end()
        screen = await painted(session(runtime, 1.0), settle_s=FIRST_S)
        eye = await event_to_eye(engine, screen, trials)
        told = await bytes_and_cells(screen, seconds, "ordinary session")
        await screen.press(b"/", "SYMBOL")
        await WallClock().sleep(SETTLED_S)
        told += await bytes_and_cells(screen, seconds, "a dialog open")
        await screen.press(b"\x1b", "PAPER")
        await WallClock().sleep(SETTLED_S)
        turned = await turns(screen, trials)
        memory = resident_mib(screen.process.pid)
        await screen.end()
        small = await painted(session(runtime, 1.0), (80, 24))
        keys = await keys_to_panes(small, trials)
        await small.end()
        engine_memory = resident_mib(engine.pid)
    return [
        figure("re-attach → paint", "ms", attaches, 1000, None),
        figure("key → paint, 80x24", "ms", keys, 10, 50),
        figure("key → paint, screen to screen, 160x45", "ms", turned, None, 50),
        figure("event → eye, 160x45", "ms", eye, None, 300),
        *told,
        Figure("memory: screen", "MiB", memory, memory, 1, 120),
        Figure("memory: engine, trading", "MiB", engine_memory, engine_memory, 1, 250),
    ]


async def bytes_and_cells(
    screen: Terminal, seconds: float, what: str, budget: tuple[float | None, float | None] = (None, 8)
) -> list[Figure]:
    """Bytes a second, and how much of what is seen they change at each beat."""
    rates, shares = list[float](), list[float]()
    for _ in range(max(round(seconds), 1)):
        taken, since = screen.taken, WallClock().perf()
        shares += await screen.changes(round(1 / BEAT_S), BEAT_S)
        rates.append((screen.taken - taken) / 1024 / ((WallClock().perf() - since) / SECOND))
    mean = sum(shares) / len(shares)
    note = f"{mean:.1f} % of cells changed a beat on average, {quantile(shares, 0.99):.1f} % at p99"
    if mean:
        cells = sum(shares) / 100 * screen.cells
        note += f", {sum(rates) * 1024 / cells:.1f} bytes each"
    return [
        figure(f"bytes to the terminal, 4 Hz, {what}", "KiB/s", rates, *budget, note),
        figure(f"  cells changed a beat, {what}", "%", shares),
    ]


async def event_to_eye(engine: Running, screen: Terminal, trials: int) -> list[float]:
    """From the gate's command, through its commit, to the paint. A fill, a stop and a lost broker come the same
    way, at whatever moment between two beats."""
    wall, laps = WallClock(), list[float]()
    for number in range(2 * ((trials + 1) // 2)):
        state = ("reducing", "open")[number % 2]
        since = wall.perf()
        turned = asyncio.ensure_future(engine.turn_gate(state))
        laps.append(await screen.shows(f"gate {state.upper()}", since=since))
        await turned
        await wall.sleep(QUIET_S * (1 + number % 9))
    return laps


async def keys_to_panes(screen: Terminal, trials: int) -> list[float]:
    """Pane after pane by its key; the pane's title is the proof of the paint."""
    keys = load_keys()
    await WallClock().sleep(0.5)
    panes = [(keys[action].partition(",")[0].encode(), title) for action, title in (*PANES[1:], *PANES[:1])]
    return await _pressed(screen, panes, trials)


async def _pressed(screen: Terminal, keys: Sequence[tuple[bytes, str]], trials: int) -> list[float]:
    """One key after the other, round and round, each to the text that it brings."""
    wall, laps = WallClock(), list[float]()
    for number in range(trials):
        laps.append(await screen.press(*keys[number % len(keys)]))
        await wall.sleep(QUIET_S)
    return laps


def _screens() -> list[tuple[bytes, str]]:
    """What to type for each screen beside the floor, and the title that it brings."""
    keys = load_keys()
    found: list[tuple[bytes, str]] = []
    for action, title in SCREENS:
        first, _, letter = keys[action].partition(",")
        found.append((KEYS.get(letter or first, letter or first).encode(), f"{first.upper()} {title}"))
    return found


async def turns(screen: Terminal, trials: int) -> list[float]:
    """Screen after screen by its key; each has been built by an earlier look."""
    wall, screens = WallClock(), _screens()
    for key, title in screens:
        await screen.press(key, title)
        await wall.sleep(LOOK_S)
    return await _pressed(screen, screens, trials)


async def _settled(screen: Terminal) -> None:
    """Return once the first pictures are painted: after a second that brought nothing."""
    for _ in range(round(LIMIT_S)):
        if not await screen.rate(1.0):
            return


async def still(runtime: Path, seconds: float) -> list[Figure]:
    """Bytes a second while nothing in the engine changes."""
    async with running(runtime, session(runtime, STILL)):
        screen = await painted(session(runtime, STILL))
        await _settled(screen)
        rate = [await screen.rate(1.0) / 1024 for _ in range(max(round(seconds), 1))]
        await screen.end()
    return [figure("bytes to the terminal, nothing changing", "KiB/s", rate, None, 0.1)]
