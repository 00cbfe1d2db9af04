"""Settings told to people: kind, bounds and origin, and typed back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.describe import UNREAD, described, parsed, value_of, value_text
from config.files import ConfigError
from config.settings import Settings, load_settings, origins, with_changes

SETTINGS = Settings()
ROOT = Path(__file__).parents[2]


def test_every_setting_is_described_once() -> None:
    keys = [row.key for row in described()]
    assert len(keys) == len(set(keys)) > 140
    assert {key.split(".")[0] for key in keys} == set(Settings.model_fields)


def test_a_limit_is_said_in_words() -> None:
    rows = {row.key: row.limit for row in described()}
    assert rows["paper.account"] == "DU and 5 to 9 digits" and rows["paper.seed"] == "at least 0"
    assert not [key for key, limit in rows.items() if "^" in limit or len(limit) > 60]


@pytest.mark.parametrize("row", [row for row in described() if row.editable], ids=lambda row: row.key)
def test_what_is_shown_of_a_setting_can_be_typed_back(row: object) -> None:
    key = row.key  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]
    before = value_of(SETTINGS, key)
    after = with_changes(SETTINGS, {key: parsed(key, value_text(before))})
    assert value_of(after, key) == before


def test_tables_and_lists_are_typed_as_json_or_words() -> None:
    windows = with_changes(
        SETTINGS, {"risk.entry_windows": parsed("risk.entry_windows", '{"ES": {"from_et": "10:00"}}')}
    )
    shown = value_text(value_of(windows, "risk.entry_windows"))
    again = with_changes(SETTINGS, {"risk.entry_windows": parsed("risk.entry_windows", shown)})
    assert again.risk.entry_windows == windows.risk.entry_windows
    assert parsed("risk.disabled_instruments", "ES, NQ") == ["ES", "NQ"] and parsed("market.sources", " ") == {}
    with pytest.raises(ConfigError, match="write JSON"):
        parsed("market.sources", "SPX")
    with pytest.raises(ConfigError, match="group of settings"):
        value_of(SETTINGS, "risk.entry_window")


def test_bounds_are_told_in_words() -> None:
    rows = {row.key: row for row in described()}
    assert rows["risk.daily_loss_pct"].limit == "over 0, at most 100"
    assert rows["protection.late_mode"].kind == "modify_to_entry | alert_only | force_close"
    assert not rows["secrets.rest_key"].editable and not rows["broker.port"].editable


def test_what_nothing_reads_is_told_so_and_all_else_is_read() -> None:
    rows = {row.key: row for row in described()}
    assert rows["alerts.smtp_port"].limit.endswith("; nothing reads it yet")
    assert rows["schedule.report_et"].limit == "nothing reads it yet"
    rooms = (path for room in ("station", "widgets", "config") for path in (ROOT / room).rglob("*.py"))
    readers = [path for path in rooms if path.name not in ("sections.py", "describe.py")]
    read = "\n".join(path.read_text() for path in (ROOT / "app.py", *readers))
    never = {key for key in rows if not re.search(rf"\.{key.rpartition('.')[2]}\b", read)}
    assert never <= UNREAD, "a setting without a reader is told as one"
    by_section = {key for key in UNREAD if re.search(rf"\b{re.escape(key)}\b", read)}
    assert not by_section, "what has a reader is not told as unread"


def test_a_secret_is_told_as_set_or_not() -> None:
    settings = load_settings(environ={"VIGIL_SECRETS__REST_KEY": "hush"}, env_file=Path("/nonexistent"))
    assert value_text(value_of(settings, "secrets.rest_key")) == "set"
    assert value_text(value_of(settings, "secrets.smtp_password")) == "not set"


def test_where_a_value_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    file.write_text("[risk]\nmax_positions = 4\n[environments.paper.risk]\nbeta = 1.5\n")
    found = origins(file=file, env_file=tmp_path / ".env", environ={"VIGIL_RISK__BETA": "1.2"})
    assert found["risk.max_positions"] == "the file" and found["risk.beta"] == "the environment"
    assert "risk.vix_ceiling" not in found
