"""The command line as other programs stand on it: shapes, exit codes, one clear line, never a traceback."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sessions import link_cache, paper

ROOT = Path(__file__).resolve().parent.parent.parent


def vigil(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), *words],
        capture_output=True, text=True, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """Exit `code`, exactly one line on stderr that says the parts, nothing else."""
    assert done.returncode == code, done
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for part in parts:
        assert part in done.stderr


def document(*words: str) -> dict[str, Any]:
    done = vigil(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) == 1
    found = json.loads(done.stdout)
    assert found["v"] == 1
    return found


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped runtime directory with two closed trades."""
    runtime = tmp_path_factory.mktemp("lived")
    paper(runtime, 3, "--until", "09:56")
    return runtime


def test_trades_have_their_shape(lived: Path) -> None:
    rows = document("trades", "--runtime", str(lived))["trades"]
    closed = [row for row in rows if row["state"] == "WEALTH_UPDATED"]
    assert len(closed) == 2
    assert set(closed[0]) >= {
        "id", "account", "environment", "strategy", "strategy_version", "origin", "symbol", "contract", "qty",
        "state", "entry", "exit", "net_pnl", "commission", "cause", "opened_utc", "closed_utc",
    }  # fmt: skip
    assert set(closed[0]["contract"]) == {"class", "expiry", "strike", "right"}
    assert isinstance(closed[0]["net_pnl"], str)
    assert closed[0]["cause"] == "target"


def test_a_story_tells_transitions_events_and_the_decision_trace(lived: Path) -> None:
    trade = document("trades", "--runtime", str(lived))["trades"][0]
    story = document("story", trade["id"], "--runtime", str(lived))
    assert [t["state"] for t in story["transitions"]] == [
        "SCANNER_SIGNAL", "STRATEGY_PASS", "OPTION_SELECTED", "WEALTH_SIZED", "BUY_SUBMITTED", "BUY_FILLED",
        "SELL_SUBMITTED", "SELL_FILLED", "CLOSED", "WEALTH_UPDATED",
    ]  # fmt: skip
    assert set(story["events"][0]) == {"seq", "ts_utc", "type", "v", "data"}
    stages = {row["stage"] for row in story["decision"]}
    assert {"pool", "match", "window", "hunter", "fit", "risk"} <= stages
    assert set(story["decision"][0]) == {"stage", "verdict", "reason", "value", "limit", "ts_utc"}


def test_wealth_stands_against_its_plan_and_a_week_has_its_report(lived: Path) -> None:
    (plan,) = document("wealth", "--runtime", str(lived))["plans"]
    (week,) = plan["weeks"]
    assert (plan["plan"], plan["week"], week["trades"], week["met"]) == ("WM235K", 1, 2, False)
    assert plan["capital"] == week["capital"]
    assert 0 < plan["share"] < 1
    report = document("report", "--period", "week", "--runtime", str(lived))["report"]
    assert report.startswith("# Vigil, week 47 of 2026")
    assert "## Wealth against plan" in report


def test_the_journal_is_searched_in_a_stopped_directory(lived: Path) -> None:
    found = document("journal", "--result", "win", "--symbol", "SPY", "--runtime", str(lived))
    (row,) = found["trades"]
    assert (row["symbol"], row["result"], found["found"]) == ("SPY", "win", 1)
    assert document("journal", "--date", "2026-11-17", "--runtime", str(lived))["found"] == 0
    assert row["id"] in vigil("journal", "--text", "spy_trend", "--runtime", str(lived)).stdout
    refused(vigil("journal", "--result", "nice", "--runtime", str(lived)), 2, "'nice'", "win, loss")
    refused(vigil("note", row["id"], "good exit", "--runtime", str(lived)), 1, "no engine runs")


def test_scanners_lists_the_catalogue_of_a_directory_and_of_none(lived: Path, tmp_path: Path) -> None:
    here = document("scanners", "--runtime", str(lived))["scanners"]
    fresh = document("scanners", "--runtime", str(tmp_path / "none"))["scanners"]
    assert here == fresh
    assert {"name", "family", "instrument", "timeframe", "side", "params", "cooldown_s", "enabled",
            "warmup_bars"} == set(here[0])  # fmt: skip


def test_verify_and_replay_log_are_clean_and_exit_zero(lived: Path) -> None:
    assert document("verify", "--runtime", str(lived))["ok"] is True
    assert document("replay-log", "--runtime", str(lived))["ok"] is True


def test_verify_exits_one_and_names_what_is_wrong(lived: Path, tmp_path: Path) -> None:
    for file in lived.glob("*.db"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with sqlite3.connect(tmp_path / "lifecycle.db") as connection:
        connection.execute("UPDATE order_fills SET price = '99' WHERE order_ref LIKE '%-E-1'")
    done = vigil("verify", "--runtime", str(tmp_path), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False


def test_scan_answers_every_firing_over_a_file(shared_data: Path) -> None:
    bars = shared_data / "bars_1m" / "spy_1m_2024-03_2025-04.parquet"
    words = ("scan", "--bars", str(bars), "--symbol", "SPY", "--timeframe", "10m", "--scanner")
    found = document(*words, "SPX_10MIN_MACD_UP")
    assert set(found) == {"v", "scanner", "symbol", "timeframe", "bars", "warmup_bars", "dirt", "firings"}
    assert found["symbol"] == "SPY"
    assert len(found["firings"]) > 100
    assert {row["side"] for row in found["firings"]} == {"CALL"}


def test_doctor_answers(tmp_path: Path) -> None:
    link_cache(tmp_path)
    found = document("doctor", "--runtime", str(tmp_path))
    assert found["ok"] is True
    plain = vigil("doctor", "--runtime", str(tmp_path), PYTHONIOENCODING="ascii")
    assert (plain.returncode, plain.stderr) == (0, ""), "letters that a terminal lacks are no reason to fail"
    assert plain.stdout.isascii() and "?" in plain.stdout


@pytest.mark.parametrize("verb", ["status", "kill", "flatten", "stop", "takeover"])
def test_no_engine_is_one_clear_line(verb: str, tmp_path: Path) -> None:
    refused(vigil(verb, "--runtime", str(tmp_path)), 1, "no engine runs in")


@pytest.mark.parametrize("verb", ["status", "kill"])
def test_a_runtime_that_is_a_file_is_one_clear_line(verb: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(vigil(verb, "--runtime", str(tmp_path / "file")), 1, "no engine runs in")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("fly",), ("invalid choice", "fly")),
        (("run", "--seed", "-3"), ("--seed", "-3 is negative")),
        (("run", "--speed", "0"), ("--speed", "0")),
        (("run", "--speed", "fast"), ("neither a number nor max",)),
        (("run", "--date", "18.11.2026"), ("YYYY-MM-DD",)),
        (("run", "--until", "25:00"), ("HH:MM",)),
        (("run", "--broker", "alpaca"), ("invalid choice",)),
        (("gate", "ajar"), ("invalid choice", "ajar")),
        (("gate",), ("--lift SYMBOL", "one of the two")),
        (("gate", "open", "--lift", "SPX"), ("--lift SYMBOL", "one of the two")),
        (("gate", "--lift", "SPX"), ("--confirm RELEASE",)),
        (("story",), ("ID",)),
        (("scan", "--scanner", "X"), ("--bars",)),
        (("kill", "--release"), ("--confirm RELEASE",)),
    ],
)
def test_bad_usage_exits_two_with_one_line(words: tuple[str, ...], parts: tuple[str, ...]) -> None:
    refused(vigil(*words), 2, *parts)


def test_a_day_without_a_session_is_refused(tmp_path: Path) -> None:
    link_cache(tmp_path)
    refused(vigil("run", "--date", "2026-11-26", "--runtime", str(tmp_path)), 2, "2026-11-26", "--date")


def test_a_start_after_the_days_end_is_refused(tmp_path: Path) -> None:
    link_cache(tmp_path)
    words = ("run", "--date", "2026-11-18", "--start", "16:30", "--runtime", str(tmp_path))
    refused(vigil(*words), 2, "--start 16:30 is not before 16:01:00", "the end of 2026-11-18")


def test_replay_needs_bars_and_bars_need_replay(tmp_path: Path) -> None:
    refused(vigil("run", "--broker", "replay", "--runtime", str(tmp_path)), 2, "--bars")
    refused(vigil("run", "--bars", "x.csv", "--runtime", str(tmp_path)), 2, "--broker replay")


@pytest.mark.parametrize(
    ("text", "code", "parts"),
    [
        ("ts_utc,open,high,low,close\n2026-11-18T14:30:00Z,1,1,1,1\n", 2, ("volume",)),
        ("ts_utc,open,high,low,close,volume\n2026-11-18 09:30:00,1,1,1,1,1\n", 2, ("ts_utc",)),
        ("ts_utc,open,high,low,close,volume\n2026-11-18T09:30:00-05:00,1,1,1,1,1\n", 2, ("ts_utc",)),
        ("", 2, ()),
        ("ts_utc,open,high,low,close,volume\n" + "2026-11-18T14:30:00Z,1,nan,1,1,1\n" * 9, 1, ("NaN",)),
        ("ts_utc,open,high,low,close,volume\n" + "2026-11-18T14:30:00Z,1,1,2,1,1\n" * 9, 1, ("OHLC",)),
    ],
    ids=["no volume", "naive times", "another zone", "empty", "not numbers", "broken"],
)
def test_malformed_bars_are_refused(text: str, code: int, parts: tuple[str, ...], tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text(text)
    words = (
        "run",
        "--broker",
        "replay",
        "--bars",
        str(bars),
        "--symbol",
        "SPY",
        "--runtime",
        str(tmp_path / "r"),
    )
    refused(vigil(*words), code, *parts)
    assert not (tmp_path / "r").exists()


def test_an_unknown_symbol_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text("ts_utc,open,high,low,close,volume,symbol\n2026-11-18T14:30:00Z,1,1,1,1,1,SPY\n")
    runtime = ("--runtime", str(tmp_path / "r"))
    refused(vigil("run", "--broker", "replay", "--bars", str(bars), "--symbol", "FOO", *runtime), 2, "FOO")
    refused(vigil("run", "--broker", "replay", "--bars", str(tmp_path / "no.csv"), *runtime), 2, "no.csv")


def test_negative_limits_are_refused_with_their_name_and_range(tmp_path: Path) -> None:
    done = vigil("run", "--runtime", str(tmp_path / "r"), VIGIL_RISK__DAILY_LOSS_USD="-1")
    refused(done, 2, "risk.daily_loss_usd", "-1")
    assert not (tmp_path / "r").exists()


def test_a_runtime_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(vigil("run", "--runtime", str(tmp_path / "file")), 1, "file")


def test_a_corrupt_database_is_refused_and_left_as_it_is(lived: Path, tmp_path: Path) -> None:
    for file in lived.glob("*.db"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damaged = b"not a database" * 500
    (tmp_path / "lifecycle.db").write_bytes(damaged)
    done = vigil("run", "--seed", "3", "--date", "2026-11-18", "--runtime", str(tmp_path))
    refused(done, 1, "lifecycle.db", "backup")
    assert (tmp_path / "lifecycle.db").read_bytes() == damaged


def test_the_floor_without_a_terminal_is_one_clear_line(tmp_path: Path) -> None:
    done = vigil("--runtime", str(tmp_path / "r"), "--speed", "max")
    assert done.returncode == 2
    assert "terminal" in done.stderr
    assert not (tmp_path / "r").exists()
    assert len(done.stderr.strip().splitlines()) == 1
