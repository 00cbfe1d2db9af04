"""Reading the files of this directory: TOML and text, with errors of one line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

CONFIG_DIR: Final = Path(__file__).resolve().parent
ROOT: Final = CONFIG_DIR.parent


class ConfigError(Exception):
    """A setting or file that cannot be used; its text names the thing, the value, the limit and the mend."""


def read_text(path: Path) -> str:
    """The file's text. Raises ConfigError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist: restore it or name another file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): check its permissions") from None


def read_toml(path: Path) -> dict[str, Any]:
    """The file as a dict. Raises ConfigError naming file, line and, where the line has one, its key."""
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_error(path, text, str(error))) from None


def line_of(text: str, *words: str) -> int:
    """The first line (from 1) that comes to stand under `words` in turn: table headers, keys or values.

    Words that are not found are passed over; 1 where none is.
    """
    lines = text.splitlines()
    at = 0
    for word in words:
        pattern = re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w-])")
        at = next((n for n in range(at, len(lines)) if pattern.search(lines[n].split("#")[0])), at)
    return at + 1


def _syntax_error(path: Path, text: str, message: str) -> str:
    place = re.search(r"\(at line (\d+), column \d+\)", message)
    lines = text.splitlines()
    number = int(place.group(1)) if place else len(lines)
    what = re.sub(r"\s*\(at .*\)$", "", message)
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    key = re.match(r"\s*([\w.\"-]+)\s*=", line)
    named = f"{key.group(1)}: " if key else ""
    return f"{path}:{number}: {named}{what}: correct this line (strings need quotes, one key a line)"
