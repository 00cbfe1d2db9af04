"""Paper accounts side by side: each profile a runtime directory of its own, with settings of its own.

The first picture of a screen waits for this module, so that what only the verbs need is read by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from config.files import ConfigError
from config.settings import load_settings, profile_tables
from station.domain.errors import BadInput, Fatal
from station.engine.lease import Lease, is_held
from station.engine.options import PROFILES as FOLDER

if TYPE_CHECKING:
    from station.brokers.paper.profiles import Standing

ASIDE: Final = ".set-aside"
RESET_WORD: Final = "RESET"
DEFAULT: Final = "default"
"""The account of the runtime directory itself, which no profile names."""


def runtime_of(runtime: Path, name: str) -> Path:
    """Where a profile's books lie. Raises BadInput for a name that is not configured."""
    known = _tables()
    if name not in known:
        raise BadInput(f"no profile {name!r}: station.toml has {', '.join(known) or 'none'}")
    return runtime / FOLDER / name


def profile_of(runtime: Path) -> str:
    """The profile that a runtime directory belongs to, empty where it is none's."""
    whole = runtime.resolve()
    return whole.name if whole.parent.name == FOLDER and whole.name in _tables() else ""


def prepare_home(runtime: Path) -> None:
    """Make a runtime directory, and those above a profile's, for this user alone. Raises Fatal."""
    from station.store.files import prepare_directory

    if runtime.parent.name == FOLDER:
        prepare_directory(runtime.parent.parent)
        prepare_directory(runtime.parent)
    prepare_directory(runtime)


def reset(runtime: Path, name: str, word: str | None) -> Path:
    """Begin a profile anew: its directory is set aside whole, and the next run makes another. Returns where it
    is kept. Raises BadInput where `word` is not typed or there is nothing to reset, Fatal while it runs."""
    if word != RESET_WORD:
        raise BadInput(f"a reset of {name} needs its confirmation typed: add --confirm {RESET_WORD}")
    home = runtime_of(runtime, name)
    if not home.is_dir():
        raise BadInput(f"profile {name} has not run yet: there is nothing to reset")
    lease = Lease(home)
    try:
        lease.acquire(name)
    except Fatal:
        raise Fatal(
            f"profile {name} is running: stop it first with `python app.py stop --profile {name}`"
        ) from None
    try:
        folder = home.parent / ASIDE
        folder.mkdir(mode=0o700, exist_ok=True)
        number = 1 + sum(1 for kept in folder.iterdir() if kept.name.startswith(f"{name}-"))
        return home.rename(folder / f"{name}-{number}")
    finally:
        lease.release()


def profiles_document(runtime: Path) -> dict[str, Any]:
    """`{v, profiles: [{name, runtime, running, account, start_cash, session, cash, result, fees, executions,
    open_contracts, settings}]}`: the runtime directory's own account, then every configured profile. What has
    not run has null figures; positions count at nothing in `cash` and `result`."""
    from station.brokers.paper.profiles import BOOK, side_by_side

    tables = _tables()
    homes = {DEFAULT: runtime} | {name: runtime / FOLDER / name for name in tables}
    lived = {name: home for name, home in homes.items() if (home / BOOK).is_file()}
    found = {row.name: row for row in side_by_side(lived)}
    rows = [_row(name, homes[name], tables.get(name, {}), found.get(name)) for name in homes]
    return {"v": 1, "profiles": rows}


def _row(name: str, home: Path, table: Mapping[str, Any], found: Standing | None) -> dict[str, Any]:
    from station.journal.shapes import decimal_text

    settings = load_settings(profile="" if name == DEFAULT else name)
    row: dict[str, Any] = {
        "name": name,
        "runtime": str(home),
        "running": is_held(home),
        "account": settings.paper.account,
        "start_cash": decimal_text(settings.paper.start_cash_usd),
        "session": None, "cash": None, "result": None, "fees": None, "executions": None,
        "open_contracts": None,
        "settings": _flat(table),
    }  # fmt: skip
    if found is not None:
        row |= {
            "account": found.account, "start_cash": decimal_text(found.start_cash), "session": found.session,
            "cash": decimal_text(found.cash), "result": decimal_text(found.result),
            "fees": decimal_text(found.fees), "executions": found.executions,
            "open_contracts": found.open_contracts,
        }  # fmt: skip
    return row


def profiles_text(document: Mapping[str, Any]) -> str:
    """The document for people, a line an account."""
    lines: list[str] = []
    for row in document["profiles"]:
        state = "runs" if row["running"] else "stopped" if row["session"] else "new"
        money = f"start {row['start_cash']:>12}"
        if row["session"]:
            money += f"  result {row['result']:>12}  fees {row['fees']:>9}  {row['executions']:>4} fills  "
            money += f"{row['open_contracts']} open  {row['session']}"
        lines.append(f"{row['name']:12} {state:8} {row['account']:11} {money}")
    return "\n".join(lines)


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{key}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            found[f"{before}{key}"] = str(value)
    return found


def _tables() -> dict[str, dict[str, Any]]:
    try:
        return profile_tables()
    except ConfigError as error:
        raise BadInput(str(error)) from None
