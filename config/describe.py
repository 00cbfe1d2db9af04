"""Every setting as a row for people: what it is, what it may be, where its value came from."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from config.files import ConfigError
from config.settings import Settings

SECRETS: Final = "secrets"
FIXED: Final = ("station.environment", "paper.account")
"""They decide which books are opened, so that nothing inside those books may change them."""
LIVE: Final = frozenset({"risk", "safeguards", "signals", "options", "execution", "protection"})
"""Sections whose edits are in force at once; the others' at the next start."""
LIVE_BUT: Final = frozenset({"signals.pool_max_age_s", "signals.valid_s"})

UNREAD: Final = frozenset(
    {"station.config_ttl_s", "station.heartbeat_s", "paper.history_sessions",
     "execution.replace_window_ms", "execution.time_in_force", "alerts.telegram", "alerts.telegram_chat",
     "alerts.telegram_scanner", "alerts.telegram_scanner_chat", "alerts.discord", "alerts.email",
     "alerts.email_from", "alerts.email_to", "alerts.smtp_host", "alerts.smtp_port", "alerts.bell",
     "alerts.heartbeat_s", "alerts.retry_limit", "alerts.per_minute", "alerts.dedupe_s", "schedule.scans_et",
     "schedule.opening_range_et", "schedule.reconcile_et", "schedule.report_et", "schedule.nightly_sync_et",
     "schedule.hygiene_et", "schedule.reconcile_every_s", "secrets.telegram_token",
     "secrets.telegram_scanner_token", "secrets.discord_webhook", "secrets.smtp_user", "secrets.smtp_password",
     "secrets.assistant_key"}
)  # fmt: skip
"""Kept for rooms that are not built; until then they change nothing, and are told so."""
ENDLESS: Final = 2**53
"""A bound that is there for the machine only."""
NO_READER: Final = "nothing reads it yet"
_SIGNS: Final = {"gt": "over", "ge": "at least", "lt": "under", "le": "at most"}
_WORDS: Final = {
    int: "whole number", float: "number", Decimal: "number", str: "text", time: "time ET", Path: "path",
}  # fmt: skip
_TRUE: Final = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Described:
    """One setting. `kind` is what is written (`on or off`, `whole number`, one of the choices …), `limit` its
    bounds; `default` the built-in one, as text."""

    key: str
    section: str
    kind: str
    limit: str
    default: str
    editable: bool
    live: bool


def described() -> tuple[Described, ...]:
    """Every setting, section by section, in the order of the model."""
    return tuple(row for row, _ in _rows())


def value_text(value: Any) -> str:
    """A value as it is written in an edit."""
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, tuple | list):
        items = cast("tuple[Any, ...]", value)
        if any(isinstance(item, BaseModel) for item in items):
            return json.dumps([item.model_dump(mode="json") for item in items])
        return ", ".join(map(value_text, items))
    if isinstance(value, dict):
        plain = {k: v.model_dump(mode="json") if isinstance(v, BaseModel) else v for k, v in value.items()}
        return json.dumps(plain) if plain else ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def value_of(settings: Settings, key: str) -> Any:
    """The value in force. Raises ConfigError for a name that is no setting."""
    found: Any = settings
    for word in key.split("."):
        if not isinstance(found, BaseModel) or word not in type(found).model_fields:
            raise ConfigError(f"{key} is no setting: choose one of the screen's")
        found = getattr(found, word)
    if isinstance(found, BaseModel):
        raise ConfigError(f"{key} is a group of settings: name one of {', '.join(type(found).model_fields)}")
    return found


def parsed(key: str, text: str) -> Any:
    """What was typed as the JSON-able value the model checks. Raises ConfigError."""
    field = _fields().get(key)
    if field is None:
        raise ConfigError(f"{key} is no setting: choose one of the screen's")
    kind = field.annotation
    text = text.strip()
    if kind is bool:
        if text.lower() not in _TRUE:
            raise ConfigError(f"{key} = {text!r} must be on or off")
        return _TRUE[text.lower()]
    if get_origin(kind) in (tuple, dict):
        if text[:1] in ("[", "{"):
            try:
                return json.loads(text)
            except ValueError as error:
                raise ConfigError(f"{key}: {text!r} is no JSON ({error}): correct it") from None
        if get_origin(kind) is dict:
            if text:
                raise ConfigError(f"{key} = {text!r} is a table: write JSON, or nothing to empty it")
            return {}
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _fields() -> Mapping[str, FieldInfo]:
    return {row.key: field for row, field in _rows()}


def _rows() -> Iterator[tuple[Described, FieldInfo]]:
    for section, field in Settings.model_fields.items():
        yield from _of_model(section, f"{section}.", cast("type[BaseModel]", field.annotation))


def _of_model(section: str, prefix: str, model: type[BaseModel]) -> Iterator[tuple[Described, FieldInfo]]:
    for name, field in model.model_fields.items():
        key, kind = f"{prefix}{name}", field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _of_model(section, f"{key}.", kind)
            continue
        yield Described(
            key, section, _kind(kind), _told(key, _limit(field)), value_text(field.get_default()),
            editable=section not in (SECRETS, "broker") and key not in FIXED,
            live=section in LIVE and key not in LIVE_BUT,
        ), field  # fmt: skip


def _told(key: str, limit: str) -> str:
    if key not in UNREAD:
        return limit
    return f"{limit}; {NO_READER}" if limit else NO_READER


def _kind(kind: Any) -> str:
    if kind is bool:
        return "on or off"
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    if kind is SecretStr:
        return "secret, from the environment or .env"
    if get_origin(kind) is tuple:
        return f"list of {_WORDS.get(get_args(kind)[0], 'table')}s"
    if get_origin(kind) is dict:
        return "table, as JSON"
    if isinstance(kind, types.GenericAlias):
        return str(kind)
    return _WORDS.get(kind, str(kind))


def _limit(field: FieldInfo) -> str:
    said = [
        f"{words} {getattr(bound, sign)}"
        for bound in field.metadata
        for sign, words in _SIGNS.items()
        if getattr(bound, sign, None) is not None and getattr(bound, sign) < ENDLESS
    ]
    return ", ".join([*said, *([field.description] if field.description else [])])
