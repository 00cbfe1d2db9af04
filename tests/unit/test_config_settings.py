"""Settings: every bound refuses, layers rank as promised, secrets stay unseen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from config.files import ConfigError
from config.sections import SecretsSection
from config.settings import STATION_FILE, Settings, load_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "station.toml"
    path.write_text("")
    return path


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def load(file: Path, **layers: Any) -> Settings:
    return load_settings(**{"environ": {}, "env_file": file.parent / ".env", "file": file, **layers})


def refusal(file: Path, **layers: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, **layers)
    text = str(caught.value)
    assert "\n" not in text and text
    return text


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from fields(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def bounds() -> Iterator[tuple[str, str, Any]]:
    """Each bounded setting with a value just past one of its bounds."""
    for name, field in fields(Settings):
        for bound in field.metadata:
            for sign, past in (("gt", 0), ("ge", -1), ("lt", 0), ("le", 1)):
                limit = getattr(bound, sign, None)
                if limit is not None:
                    yield name, sign, limit + past


NUMBERS = [name for name, field in fields(Settings) if field.annotation in (int, float, Decimal)]


def test_every_number_has_both_a_lower_and_an_upper_bound() -> None:
    for name in NUMBERS:
        signs = {sign for bounded, sign, _ in bounds() if bounded == name}
        assert signs & {"gt", "ge"} and signs & {"lt", "le"}, f"{name} is bounded only by {signs}"
    assert len(NUMBERS) > 80


@pytest.mark.parametrize(("name", "sign", "value"), list(bounds()), ids=lambda value: str(value))
def test_a_value_past_its_bound_is_refused_in_one_line(file: Path, name: str, sign: str, value: Any) -> None:
    words = {"gt": "over", "ge": "at least", "lt": "under", "le": "at most"}
    text = refusal(file, command_line={name: value})
    assert text.startswith(f"{name} = ") and "(the command line)" in text
    assert words[sign] in text and "try " in text


def test_the_refusal_names_thing_origin_value_limit_and_mend(file: Path) -> None:
    file.write_text("# mine\n[risk]\nbeta = 1.5\ndaily_loss_pct = -2\n")
    assert refusal(file) == f"risk.daily_loss_pct = -2 ({file}:4) must be over 0 and at most 100: try 2"
    environ = {"VIGIL_RISK__DAILY_LOSS_PCT": "-3"}
    assert refusal(file, environ=environ).startswith("risk.daily_loss_pct = '-3' (the environment) must be")
    assert refusal(file, command_line={"broker.kind": "etrade"}) == (
        "broker.kind = 'etrade' (the command line) is refused: "
        "input should be 'paper', 'replay' or 'ibkr': try paper (and 1 more)"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"risk.max_positions": "many"}, "risk.max_positions = 'many'"),
        ({"risk.max_positions": float("nan")}, "risk.max_positions = nan"),
        ({"risk.beta": float("inf")}, "risk.beta = inf"),
        ({"risk.entry_window.from_et": "25:00"}, "risk.entry_window.from_et = '25:00'"),
        ({"risk.entry_window.from_et": "09:35+01:00"}, "write HH:MM without an offset"),
        ({"risk.entry_window.from_et": "15:45"}, "from_et 15:45 must be before until_et 15:30"),
        ({"risk.entry_windows": {"ES": {"until_et": "09:00"}}}, "from_et 09:35 must be before until_et 09:00"),
        ({"risk.stop_min_pct": 20}, "stop_min_pct 20 may not be over stop_max_pct 15"),
        ({"execution.cancel_confirm_ms": 200}, "may not be over replace_window_ms 150"),
        ({"protection.p2_pct": 20}, "must rise in order"),
        ({"protection.late_before_close_s": 240}, "must be under late_before_close_s 240"),
        ({"market.clock_skew_alarm_ms": 9_000}, "may not be over clock_skew_block_ms 5000"),
        ({"paper.account": "U1234567"}, "paper.account = 'U1234567'"),
        ({"wealth.plan": "../etc/passwd"}, "wealth.plan = '../etc/passwd'"),
        ({"risk.daily_los_pct": 2}, "risk.daily_los_pct (the command line) is no setting"),
        ({"rsk.beta": 2}, "rsk (the command line) is no setting"),
        ({"risk": 5}, "risk = 5"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_makes_no_sense_is_refused(file: Path, given: dict[str, Any], words: str) -> None:
    assert words in refusal(file, command_line=given)


def test_the_command_line_outranks_environment_database_and_file(file: Path, env_file: Path) -> None:
    layers: dict[str, Any] = {
        "command_line": {"risk.beta": 5},
        "environ": {"VIGIL_RISK__BETA": "4"},
        "database": {"risk.beta": 2},
    }
    env_file.write_text("VIGIL_RISK__BETA=3\n")
    env_file.chmod(0o600)
    file.write_text("[risk]\nbeta = 1\n")
    found = [load(file, **layers).risk.beta]
    for weaker in ("command_line", "environ"):
        del layers[weaker]
        found.append(load(file, **layers).risk.beta)
    env_file.unlink()
    found.append(load(file, **layers).risk.beta)
    found.append(load(file).risk.beta)
    file.write_text("")
    found.append(load(file).risk.beta)
    assert found == [5, 4, 3, 2, 1, 2.0]


def test_layers_merge_key_by_key_and_not_table_by_table(file: Path) -> None:
    file.write_text("[risk]\nbeta = 1\nleverage = 2\n[risk.gamma_per_contract]\nSPX = 0.1\n")
    risk = load(
        file, database={"risk.gamma_per_contract.SPY": 0.5}, command_line={"risk": {"leverage": 3}}
    ).risk
    assert (risk.beta, risk.leverage) == (1, 3)
    assert (risk.gamma_per_contract.SPX, risk.gamma_per_contract.SPY) == (0.1, 0.5)


def test_an_option_not_given_on_the_command_line_hides_nothing(file: Path) -> None:
    assert load(file, database={"paper.seed": 11}, command_line={"paper.seed": None}).paper.seed == 11


def test_environment_names_reach_every_depth_and_lists(file: Path) -> None:
    settings = load(
        file,
        environ={
            "VIGIL_RISK__GAMMA_PER_CONTRACT__SPX": "0.2",
            "VIGIL_RISK__DISABLED_INSTRUMENTS": '["VIX", "ES"]',
            "VIGIL_SCHEDULE__SCANS_ET": '["10:00"]',
            "VIGIL_BROKER__ARMED": "true",
            "PATH": "/bin",
        },
    )
    assert settings.risk.gamma_per_contract.SPX == 0.2
    assert settings.risk.disabled_instruments == ("VIX", "ES")
    assert settings.schedule.scans_et == (time(10, 0),)
    assert settings.broker.armed is True


@pytest.mark.parametrize("name", ["VIGIL_RSK__BETA", "VIGIL_BETA", "VIGIL_RISK", "VIGIL_"])
def test_a_misspelt_environment_name_is_refused_and_not_ignored(file: Path, name: str) -> None:
    assert refusal(file, environ={name: "1"}).startswith(f"{name} in the environment is no setting")


@pytest.mark.parametrize("name", ["VIGIL_ASCII", "VIGIL_MOUSE", "VIGIL_FAULT"])
def test_what_a_terminal_says_of_itself_hinders_no_start(file: Path, name: str) -> None:
    assert load_settings(file=file, environ={name: "1"}) == load_settings(file=file, environ={})


def test_an_environment_of_its_own_overrides_the_file_alone(file: Path) -> None:
    file.write_text(
        "[risk]\ndaily_loss_usd = 400\nbeta = 1\n"
        "[environments.live.risk]\ndaily_loss_usd = 100\n[environments.paper.risk]\nbeta = 3\n"
    )
    live = {"station.environment": "live", "broker.kind": "ibkr", "broker.armed": True, "broker.account": "U1"}
    assert load(file).risk.daily_loss_usd == 400 and load(file).risk.beta == 3
    assert load(file, command_line=live).risk.daily_loss_usd == 100
    assert load(file, command_line=live).risk.beta == 1
    assert load(file, command_line=live | {"risk.daily_loss_usd": 50}).risk.daily_loss_usd == 50
    file.write_text("[environments.demo.risk]\nbeta = 1\n")
    assert "environments has tables for paper and live only" in refusal(file)


LIVE = {
    "station.environment": "live", "broker.kind": "ibkr", "broker.armed": True, "broker.account": "U7654321",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"broker.kind": "paper"}, "live needs broker.kind ibkr"),
        ({"broker.armed": False}, "needs broker.armed and broker.account"),
        ({"broker.account": ""}, "needs broker.armed and broker.account"),
        ({"broker.port": 7497}, "broker.port = 7497 does not match station.environment = 'live'"),
        ({"broker.port": 4002}, "use 7496 or 4001"),
    ],
    ids=str,
)  # fmt: skip
def test_live_needs_deliberate_and_matching_settings(file: Path, change: dict[str, Any], words: str) -> None:
    assert load(file, command_line=LIVE).port == 7496
    assert words in refusal(file, command_line=LIVE | change)


def test_a_live_port_is_refused_on_paper(file: Path) -> None:
    assert load(file).port == 7497
    assert "use 7497 or 4002" in refusal(file, command_line={"broker.kind": "ibkr", "broker.port": 4001})
    assert load(file, command_line={"broker.kind": "ibkr", "broker.port": 5_555}).port == 5_555


def test_the_shipped_file_says_exactly_the_built_in_defaults(tmp_path: Path) -> None:
    assert load_settings(environ={}, env_file=tmp_path / ".env") == Settings()
    text = STATION_FILE.read_text()
    for name, _ in fields(Settings):
        section, key = name.split(".", 1)
        if section != "secrets" and name != "risk.entry_windows":
            assert f"\n{key.rsplit('.', 1)[-1]} = " in text, f"{name} is missing in {STATION_FILE.name}"


def test_the_defaults_are_those_of_the_specification() -> None:
    every = Settings()
    risk, protection = every.risk, every.protection
    assert (risk.quote_stale_s, risk.feed_stale_s, risk.min_quality_score) == (5, 15, 70)
    assert (risk.entry_window.from_et, risk.entry_window.until_et) == (time(9, 35), time(15, 30))
    assert (risk.daily_loss_pct, risk.daily_loss_usd, risk.monthly_loss_pct, risk.drawdown_pct) == (
        2,
        500,
        6,
        10,
    )
    assert (risk.vix_ceiling, risk.volatility_ceiling_pct, risk.max_positions) == (35, 50, 3)
    assert (risk.portfolio_delta, risk.portfolio_vega, risk.portfolio_theta_usd_day) == (100, 50_000, -2_000)
    assert (risk.orders_per_day, risk.orders_per_minute, risk.contracts_per_order) == (50, 10, 20)
    assert (risk.capital_at_risk_usd, risk.leverage, risk.kill_loss_factor) == (10_000, 4, Decimal("1.5"))
    assert (protection.target_pct, protection.p2_pct, protection.p3_pct) == (23, 40, 60)
    assert (protection.grace_s, protection.unclosed_alert_s, protection.late_before_close_s) == (
        900,
        1800,
        1800,
    )
    assert (protection.flatten_before_close_s, protection.emergency_checks, protection.rapid_shield_pct) == (
        300,
        8,
        22,
    )
    assert (every.execution.entry_timeout_s, every.execution.partial_timeout_s) == (60, 30)
    assert (every.execution.cancel_confirm_ms, every.execution.replace_window_ms) == (100, 150)
    assert (every.market.latency_alert_p95_ms, every.market.rest_requests_per_s) == (200, 5)
    assert (every.signals.pool_max_age_s, every.signals.valid_s, every.signals.positions_day) == (300, 900, 20)


def test_money_keeps_its_decimal_digits(file: Path) -> None:
    file.write_text("[risk]\ndaily_loss_usd = 0.1\n")
    assert load(file).risk.daily_loss_usd == Decimal("0.1")


SECRET = "112233:AAF-hidden"
NAME = "VIGIL_SECRETS__TELEGRAM_TOKEN"


@pytest.mark.parametrize("text", [SECRET, '["listed"]', "{not json", "12345"])
def test_a_secret_is_taken_as_it_stands_and_never_shown(file: Path, text: str) -> None:
    settings = load(file, environ={NAME: text})
    assert settings.secrets.telegram_token.get_secret_value() == text
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert text not in shown


def test_every_secret_field_hides_its_value() -> None:
    assert {field.annotation for field in SecretsSection.model_fields.values()} == {SecretStr}


def test_a_refusal_does_not_spell_out_a_secret(file: Path) -> None:
    text = refusal(file, environ={f"{NAME}__DEEPER": SECRET})
    assert SECRET not in text and "secrets.telegram_token = a secret" in text


def test_a_secret_elsewhere_than_in_the_environment_is_refused(file: Path) -> None:
    for layer in ("command_line", "database"):
        text = refusal(file, **{layer: {"secrets.telegram_token": SECRET}})
        assert f"move it to {NAME}" in text and SECRET not in text
    file.write_text(f'[secrets]\ntelegram_token = "{SECRET}"\n')
    assert SECRET not in refusal(file)


def test_the_env_file_is_read_only_when_nobody_else_can(file: Path, env_file: Path) -> None:
    env_file.write_text(f'# bots\n{NAME}="{SECRET}"\nOTHER=1\n')
    env_file.chmod(0o644)
    text = refusal(file)
    assert text == f"{env_file} has mode 0644, secrets need 0600: run chmod 600 {env_file}"
    env_file.chmod(0o600)
    assert load(file).secrets.telegram_token.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("[risk]\nbeta = = 2\n", 2, "beta: "),
        ("[risk]\nbeta = 2\nbeta = 3\n", 3, "beta: "),
        ("[risk\n", 1, ""),
        ("[risk]\nbeta = two\n", 2, "beta: "),
        ('[station]\nlog_level = "INFO\n', 2, "log_level: "),
    ],
    ids=["sign", "twice", "header", "bare word", "open string"],
)
def test_a_broken_file_is_one_line_with_file_line_and_key(
    file: Path, content: str, line: int, words: str
) -> None:
    file.write_text(content)
    assert refusal(file).startswith(f"{file}:{line}: {words}")


def test_a_file_that_is_not_there_or_not_text_is_one_line(file: Path, tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none.toml")
    file.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in refusal(file)
    assert "cannot be read" in refusal(tmp_path)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Settings().risk, "beta", 9)  # noqa: B010


def test_config_imports_nothing_of_the_station(repo_root: Path) -> None:
    code = (
        "import sys, config.settings, config.catalogue, config.plans;"
        "rooms = {name.split('.')[0] for name in sys.modules};"
        "print(sorted(rooms & {'station', 'widgets', 'app', 'textual'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
