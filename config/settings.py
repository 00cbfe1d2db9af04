"""One model of everything that can be set, and the layers it comes from.

Strongest first: command line, environment (`VIGIL_RISK__DAILY_LOSS_PCT=1.5`, then a 0600 `.env`), database, the
file's `[profiles.NAME]` tables where a profile is named, its `[environments.paper]` or `[environments.live]`
tables, the file itself, the built-in defaults.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from dotenv import dotenv_values
from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.files import CONFIG_DIR, ROOT, ConfigError, line_of, read_text, read_toml
from config.sections import (
    PORTS,
    AlertsSection,
    BrokerSection,
    ExecutionSection,
    JournalSection,
    MarketSection,
    OptionsSection,
    PaperSection,
    ProtectionSection,
    RiskSection,
    SafeguardsSection,
    ScheduleSection,
    SecretsSection,
    SignalsSection,
    StationSection,
    WealthSection,
)

PREFIX: Final = "VIGIL_"
NO_SETTINGS: Final = frozenset({"VIGIL_ASCII", "VIGIL_MOUSE", "VIGIL_FAULT"})
"""What a screen asks of its terminal's environment, and the crash proofs of theirs."""
STATION_FILE: Final = CONFIG_DIR / "station.toml"
PROFILE_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,23}")
ENV_FILE: Final = ROOT / ".env"


class Settings(BaseSettings):
    """Everything that can be set, checked. Build it with `load_settings`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, validate_default=True)

    station: StationSection = StationSection()
    broker: BrokerSection = BrokerSection()
    paper: PaperSection = PaperSection()
    market: MarketSection = MarketSection()
    signals: SignalsSection = SignalsSection()
    options: OptionsSection = OptionsSection()
    risk: RiskSection = RiskSection()
    safeguards: SafeguardsSection = SafeguardsSection()
    execution: ExecutionSection = ExecutionSection()
    protection: ProtectionSection = ProtectionSection()
    wealth: WealthSection = WealthSection()
    journal: JournalSection = JournalSection()
    alerts: AlertsSection = AlertsSection()
    schedule: ScheduleSection = ScheduleSection()
    secrets: SecretsSection = SecretsSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load_settings` layers the sources itself, to be able to say where a bad value came from."""
        return (init_settings,)

    @model_validator(mode="after")
    def _live_is_deliberate(self) -> Settings:
        environment, broker = self.station.environment, self.broker
        if environment == "live" and broker.kind != "ibkr":
            raise ValueError(
                f"station.environment = 'live' with broker.kind = {broker.kind!r}: live needs broker.kind ibkr"
            )
        if environment == "live" and not (broker.armed and broker.account):
            raise ValueError(
                "station.environment = 'live' needs broker.armed and broker.account: set both, or use paper"
            )
        other = PORTS["paper" if environment == "live" else "live"]
        if broker.kind == "ibkr" and broker.port in other:
            raise ValueError(
                f"broker.port = {broker.port} does not match station.environment = {environment!r}: "
                f"use {' or '.join(map(str, PORTS[environment]))}"
            )
        return self

    @property
    def port(self) -> int:
        """The broker's port; TWS's of the environment where none is set."""
        return self.broker.port or PORTS[self.station.environment][0]


def load_settings(
    command_line: Mapping[str, Any] | None = None,
    database: Mapping[str, Any] | None = None,
    *,
    file: Path = STATION_FILE,
    env_file: Path = ENV_FILE,
    environ: Mapping[str, str] | None = None,
    profile: str = "",
) -> Settings:
    """The settings, layered and checked.

    `command_line` and `database` map `section.key` (or nested tables) to values; a None on the command line
    counts as not given. Raises ConfigError with one line: setting, value, origin, limit, mend.
    """
    given = {name: value for name, value in (command_line or {}).items() if value is not None}
    layers = [
        ("the command line", _nested(given)),
        ("the environment", _from_environment(os.environ if environ is None else environ, "the environment")),
        (str(env_file), _from_environment(_env_file(env_file), str(env_file))),
        ("the database", _nested(database or {})),
    ]
    layers += _file_layers(file, layers, profile)
    _refuse_misplaced_secrets(layers)
    merged: dict[str, Any] = {}
    for _, layer in reversed(layers):
        merged = _merge(merged, layer)
    try:
        return Settings(**merged)
    except ValidationError as failure:
        raise ConfigError(_one_line(failure, layers, file)) from None


def with_changes(base: Settings, changes: Mapping[str, Any], origin: str = "the database") -> Settings:
    """`base` with `section.key` values of `origin` put over it, checked whole. Raises ConfigError."""
    if not changes:
        return base
    layer = _nested(changes)
    try:
        return Settings(**_merge(base.model_dump(), layer))
    except ValidationError as failure:
        raise ConfigError(_one_line(failure, [(origin, layer)], STATION_FILE)) from None


def origins(
    *, file: Path = STATION_FILE, env_file: Path = ENV_FILE, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Where each setting that is written down comes from, by `section.key`: `the environment` (the `.env` file
    too), which goes before the database, or `the file`."""
    named = _from_environment(os.environ if environ is None else environ, "the environment")
    outside = _merge(_from_environment(_env_file(env_file), str(env_file)), named)
    layers: list[Layer] = [("the environment", outside)]
    layers += [("the file", layer) for _, layer in _file_layers(file, layers)]
    return {key: name for name, layer in reversed(layers) for key in _flat(layer)}


def _flat(layer: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in layer.items():
        key = f"{prefix}{name}"
        inside = _flat(cast("Mapping[str, Any]", value), f"{key}.") if isinstance(value, Mapping) else []
        found += [key, *inside]
    return found


Layer = tuple[str, dict[str, Any]]


def profile_tables(file: Path = STATION_FILE) -> dict[str, dict[str, Any]]:
    """What each profile of the file sets, by name and then as nested tables. Raises ConfigError."""
    return _profiles(read_toml(file), file)


def _profiles(content: dict[str, Any], file: Path) -> dict[str, dict[str, Any]]:
    found: Any = content.pop("profiles", {})
    if not isinstance(found, dict):
        raise ConfigError(
            f"{file}: profiles is no table: write [profiles.NAME.paper] and the settings under it"
        )
    tables = cast("dict[str, Any]", found)
    for name, table in tables.items():
        if not PROFILE_NAME.fullmatch(name):
            raise ConfigError(f"{file}: profile {name!r}: use 1 to 24 of a-z, 0-9, - and _, a letter first")
        if not isinstance(table, dict) or "environment" in _at(cast("dict[str, Any]", table), ("station",), {}):
            raise ConfigError(
                f"{file}: profile {name} must hold tables of settings, and no station.environment"
            )
    return tables


def _file_layers(file: Path, stronger: list[Layer], profile: str = "") -> list[Layer]:
    content = read_toml(file)
    profiles = _profiles(content, file)
    if profile and profile not in profiles:
        raise ConfigError(f"no profile {profile!r}: {file} has {', '.join(profiles) or 'none'}")
    tables = content.pop("environments", {})
    if not isinstance(tables, dict) or not set(cast("dict[str, Any]", tables)) <= set(PORTS):
        raise ConfigError(f"{file}: environments has tables for {' and '.join(PORTS)} only: remove the others")
    chosen = "paper"
    for _, layer in reversed([*stronger, (str(file), content)]):
        chosen = _at(layer, ("station", "environment"), chosen)
    of_environment = cast("dict[str, Any]", tables).get(str(chosen), {})
    of_profile: list[Layer] = [(f"profile {profile} of {file}", profiles[profile])] if profile else []
    return [*of_profile, (str(file), of_environment), (str(file), content)]


def _env_file(path: Path) -> dict[str, str]:
    """The `.env` file; nothing where there is none. Raises ConfigError where others may read it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return {}
    if mode & 0o077:
        raise ConfigError(f"{path} has mode {mode:04o}, secrets need 0600: run chmod 600 {path}")
    return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}


def _from_environment(environ: Mapping[str, str], origin: str) -> dict[str, Any]:
    """`VIGIL_SECTION__KEY` as nested tables; JSON values are left to the model."""
    found: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NO_SETTINGS:
            continue
        path = _field_path(name.removeprefix(PREFIX).split("__"))
        if len(path) < 2 or path[0] not in Settings.model_fields:
            raise ConfigError(
                f"{name} in {origin} is no setting: write {PREFIX}SECTION__KEY, e.g. {PREFIX}RISK__BETA"
            )
        value = environ[name] if path[0] == "secrets" else _parsed(environ[name])
        found = _merge(found, _nested({".".join(path): value}))
    return found


def _field_path(words: list[str]) -> list[str]:
    """The fields' own spelling: environment names are upper case."""
    path: list[str] = []
    model: Any = Settings
    for word in words:
        fields: dict[str, Any] = getattr(model, "model_fields", {})
        spelled = {name.lower(): name for name in fields}.get(word.lower())
        path.append(spelled or (word.lower() if fields else word))
        model = fields[spelled].annotation if spelled else None
    return path


def _parsed(text: str) -> Any:
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested tables."""
    found: dict[str, Any] = {}
    for name, value in flat.items():
        branch = _nested(value) if isinstance(value, Mapping) else value
        for word in reversed(name.split(".")):
            branch = {word: branch}
        found = _merge(found, cast("dict[str, Any]", branch))
    return found


def _merge(weak: dict[str, Any], strong: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(weak)
    for key, value in strong.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _at(layer: Mapping[str, Any], path: tuple[str | int, ...], default: Any = None) -> Any:
    value: Any = layer
    for word in path:
        if not isinstance(value, Mapping) or word not in value:
            return default
        value = cast("Mapping[str | int, Any]", value)[word]
    return value


def _refuse_misplaced_secrets(layers: list[Layer]) -> None:
    for origin, layer in (layers[0], *layers[3:]):
        for name in layer.get("secrets", {}):
            raise ConfigError(
                f"secrets.{name} in {origin}: secrets live in the environment or a 0600 .env: "
                f"move it to {PREFIX}SECRETS__{name.upper()}"
            )


def _one_line(failure: ValidationError, layers: list[Layer], file: Path) -> str:
    """The first complaint in one line, and how many more there are."""
    errors = failure.errors(include_url=False)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return _complaint(errors[0], layers, file) + more


def _complaint(error: ErrorDetails, layers: list[Layer], file: Path) -> str:
    path = error["loc"]
    name = ".".join(map(str, path))
    missing = object()
    origin = next((where for where, layer in layers if _at(layer, path, missing) is not missing), "")
    if origin == str(file):
        origin = f"{file}:{line_of(read_text(file), *map(str, path))}"
    place = f" ({origin})" if origin else ""
    if error["type"] == "extra_forbidden":
        return f"{name}{place} is no setting: correct the name or remove it"
    if error["type"] == "value_error":
        text = str(error["msg"]).removeprefix("Value error, ")
        return f"{name}{place}: {text}" if name else text
    value = "a secret" if path[:1] == ("secrets",) else repr(error["input"])
    return f"{name} = {value}{place} {_limit_and_mend(path, str(error['msg']))}"


_SIGNS: Final = {"gt": "over", "ge": "at least", "lt": "under", "le": "at most"}


def _limit_and_mend(path: tuple[str | int, ...], message: str) -> str:
    """What the field allows and what to write instead; the checker's own words where it has no bounds."""
    field = _field(path)
    bounds = [
        f"{words} {getattr(bound, sign)}"
        for bound in getattr(field, "metadata", ())
        for sign, words in _SIGNS.items()
        if getattr(bound, sign, None) is not None
    ]
    limit = f"must be {' and '.join(bounds)}" if bounds else f"is refused: {message[:1].lower()}{message[1:]}"
    default = getattr(field, "default", None)
    return (
        f"{limit}: try {default}"
        if isinstance(default, int | float | str | Decimal)
        else f"{limit}: correct it"
    )


def _field(path: tuple[str | int, ...]) -> Any:
    model: Any = Settings
    field: Any = None
    for word in path:
        fields: dict[str | int, Any] = getattr(model, "model_fields", {})
        if word not in fields:
            return None
        field = fields[word]
        model = field.annotation
    return field
