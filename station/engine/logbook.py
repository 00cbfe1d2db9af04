"""The station's own log, read back: the newest lines that match, from the end of the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from station.domain.errors import BadInput
from station.domain.saying import said

LEVELS: Final = ("info", "warning", "error", "critical")
LIMIT: Final = 300
MOST: Final = 2_000
LOOKED_BACK: Final = 4 * 1024 * 1024
"""Bytes from the end of the log that a search goes back."""
_BLOCK: Final = 256 * 1024

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogFilter:
    """`level` is the least severe shown; `component` what stands before the first dot of an event; `text` is
    looked for in the whole line, case-insensitive."""

    level: str = "info"
    component: str = ""
    text: str = ""
    limit: int = LIMIT

    @staticmethod
    def parse(args: Mapping[str, str]) -> LogFilter:
        """Words: level, component, text, limit. Raises BadInput for any other word or value."""
        if strange := sorted(set(args) - {"level", "component", "text", "limit"}):
            raise BadInput(f"the log has no filter {strange[0]!r}: use component, level, limit, text")
        level = args.get("level") or "info"
        if level not in LEVELS:
            raise BadInput(f"level {level!r}: use {', '.join(LEVELS)}")
        limit = args.get("limit") or str(LIMIT)
        if not limit.isdecimal() or not 0 < int(limit) <= MOST:
            raise BadInput(f"limit {limit!r} is not a number from 1 to {MOST}")
        return LogFilter(level, args.get("component", ""), args.get("text", "").strip(), int(limit))

    def takes(self, line: Json, raw: str) -> bool:
        return (
            _rank(line) >= LEVELS.index(self.level)
            and self.component in ("", component_of(line))
            and (not self.text or self._reads(line, raw))
        )

    def _reads(self, line: Json, raw: str) -> bool:
        """In the line as it is kept, or as it is shown."""
        wanted = self.text.lower()
        return wanted in raw.lower() or wanted in _text_of(line).lower()


def component_of(line: Json) -> str:
    """`trade` of `trade.closed`; the whole event where it has no dot."""
    return str(line.get("event", "")).partition(".")[0]


def _rank(line: Json) -> int:
    level = str(line.get("level", "info"))
    return LEVELS.index(level) if level in LEVELS else 0


def read_log(path: Path, wanted: LogFilter) -> Json:
    """`{v, lines, components, whole}`: newest first, `limit` at most; `components` of everything looked at,
    `whole` False where the log goes further back than was looked. No file is no line. Raises OSError."""
    found: list[Json] = []
    components: set[str] = set()
    whole = True
    for raw in _backwards(path):
        if raw is None:
            whole = False
            break
        line = _parsed(raw)
        components.add(component_of(line))
        if len(found) < wanted.limit and wanted.takes(line, raw):
            found.append(_shape(line))
    return {"v": 1, "lines": found, "components": sorted(components - {""}), "whole": whole}


def _shape(line: Json) -> Json:
    return {
        "ts_utc": str(line.get("ts_utc", "")),
        "level": LEVELS[_rank(line)],
        "event": str(line.get("event", "")),
        "trade_id": str(line.get("trade_id", "")),
        "text": _text_of(line),
    }


def _text_of(line: Json) -> str:
    """What a line says: an event in words, any other as it was written."""
    rest = {key: value for key, value in line.items() if key not in ("ts_utc", "level", "event", "trade_id")}
    data = rest.get("data")
    if len(rest) > 1 or data is None:
        return " ".join(f"{key}={value}" for key, value in rest.items())
    return said(str(line.get("event", "")), cast("Json", data)) if isinstance(data, dict) else _told(str(data))


def _told(data: str) -> str:
    """`Alerted(severity='info', text='…')` without the name that the event has said already."""
    name, bracket, rest = data.partition("(")
    return rest[:-1] if bracket and rest.endswith(")") and name.isidentifier() else data


def _parsed(raw: str) -> Json:
    """A line that is not one of ours (a torn write) is shown as it is."""
    try:
        line = json.loads(raw)
    except ValueError:
        line = None
    return (
        cast("Json", line)
        if isinstance(line, dict)
        else {"event": "unreadable", "level": "warning", "data": raw}
    )


def _backwards(path: Path) -> Iterator[str | None]:
    """Lines from the newest; None at last where there would be more."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        place = end = file.seek(0, 2)
        rest = b""
        while place > 0:
            if end - place >= LOOKED_BACK:
                yield None
                return
            size = min(_BLOCK, place)
            place -= size
            file.seek(place)
            lines = (file.read(size) + rest).split(b"\n")
            rest = lines[0]
            for line in reversed(lines[1:]):
                if line.strip():
                    yield line.decode("utf-8", "replace")
        if rest.strip():
            yield rest.decode("utf-8", "replace")
