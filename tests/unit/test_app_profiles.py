"""Paper accounts side by side: profiles of their own books and settings, compared and begun anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app import main
from config.files import ConfigError
from config.settings import STATION_FILE, load_settings, profile_tables
from station.brokers.paper.faults import rare_halts
from station.domain.instruments import INSTRUMENTS, SecType
from station.engine.lease import Lease
from station.engine.profiles import profile_of, runtime_of
from tests.faults.station_stage import Stage
from tests.lab import DAY, SEED, Lab, assert_sound, play


async def lived(home: Path, start: str) -> Decimal:
    """Equity after a minute of trading in a profile's own directory."""
    async with Lab(home) as lab:
        await lab.until(start)
        return lab.rooms.money.equity


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_profiles_live_side_by_side_and_are_begun_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, large = runtime_of(tmp_path, "small"), runtime_of(tmp_path, "large")
    assert (profile_of(small), profile_of(tmp_path)) == ("small", "")
    assert play(lambda: lived(small, "09:31")) == 10_000
    assert play(lambda: lived(large, "09:31")) == 250_000
    assert {path.stat().st_mode & 0o777 for path in (tmp_path, small.parent, small)} == {0o700}
    rows = {row["name"]: row for row in shown(capsys, "profiles", "--runtime", str(tmp_path))["profiles"]}
    assert list(rows) == ["default", "small", "large"]
    assert rows["small"]["account"] == "DU1000010"
    assert (rows["small"]["start_cash"], rows["large"]["start_cash"]) == ("10000.00", "250000.00")
    assert (rows["default"]["session"], rows["default"]["result"]) == (None, None)
    assert rows["small"]["settings"]["paper.start_cash_usd"] == "10000"
    assert not rows["small"]["running"]
    assert shown(capsys, "verify", "--runtime", str(tmp_path), "--profile", "small")["ok"]

    reset = ("profiles", "--runtime", str(tmp_path), "--reset", "small")
    assert main(reset) == 2
    lease = Lease(small)
    lease.acquire("DU1000010")
    assert main([*reset, "--confirm", "RESET"]) == 1
    assert "stop --profile small" in capsys.readouterr().err
    lease.release()
    kept = Path(shown(capsys, *reset, "--confirm", "RESET")["kept"])
    assert (kept / "lifecycle.db").is_file()
    assert not small.exists()
    assert_sound(kept)
    assert main([*reset, "--confirm", "RESET"]) == 2
    assert play(lambda: lived(small, "09:31")) == 10_000
    again = Path(shown(capsys, *reset, "--confirm", "RESET")["kept"])
    assert again.parent == kept.parent and again != kept


def test_a_profile_nobody_knows_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trades", "--runtime", str(tmp_path), "--profile", "tiny"]) == 2
    said = capsys.readouterr().err
    assert "'tiny'" in said and "small, large" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[profiles.Small.paper]\nseed = 1", "profile 'Small'"),
        ("[profiles.a]\npaper = 3", "paper = 3"),
        ('[profiles.a.station]\nenvironment = "live"', "station.environment"),
        ("[profiles.a.paper]\nstart_cash_usd = -1", "profile a of"),
        ("profiles = 3", "no table"),
    ],
)
def test_a_bad_profile_is_refused_in_one_line(table: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    file.write_text(table)
    with pytest.raises(ConfigError, match=says) as refused:
        load_settings(environ={}, env_file=tmp_path / ".env", file=file, profile="a")
    assert "\n" not in str(refused.value)


def test_a_profile_is_stronger_than_the_file_and_weaker_than_the_command_line(tmp_path: Path) -> None:
    given: Mapping[str, Any] = {"environ": {}, "env_file": tmp_path / ".env"}
    assert set(profile_tables(STATION_FILE)) == {"small", "large"}
    assert load_settings(profile="small", **given).paper.start_cash_usd == 10_000
    stronger = load_settings({"paper.start_cash_usd": 500}, profile="small", **given)
    assert stronger.paper.start_cash_usd == 500
    assert load_settings(**given).paper.start_cash_usd == 35_000


def test_rare_halts_come_by_setting_and_stop_their_share(tmp_path: Path) -> None:
    shares = [one.symbol for one in INSTRUMENTS.values() if one.sec_type is SecType.STOCK]
    first = min(rare_halts(SEED, DAY, shares, 1.0), key=lambda halt: halt.at_ns)

    async def work() -> None:
        async with Stage(tmp_path, settings={"paper.rare_halts_pct": 100}) as lab:
            await lab.run.advance(first.at_ns + 2_000_000_000)
            assert lab.rooms.market.halted(first.symbol)
            await lab.run.advance(first.until_ns + 2_000_000_000)
            assert not lab.rooms.market.halted(first.symbol)

    play(work)
    assert rare_halts(SEED, DAY, shares, 0.0) == ()
