"""A filter in one line: `symbol:SPX result:win #late breakout`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Final

Shorthand = Callable[[str], str]
"""Which key a bare word is the value of; empty where it is text to look for."""
TEXT: Final = "text"
DAYS: Final = ("date", "from", "to")
"""Keys whose values are days."""
MOST: Final = 200


def _day(key: str, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError(f"{key}:{value} is no day: write {key}:2026-11-18") from None


def parsed(line: str, keys: Iterable[str], shorthand: Shorthand) -> dict[str, str]:
    """The words by key; what has no key is text, control characters are blanks. Raises ValueError in words for
    an unknown or empty key, a date that is none, and for more than anybody looks for."""
    if len(line) > MOST:
        raise ValueError(f"{len(line):,} characters: a filter has at most {MOST}")
    known, found, text = tuple(keys), dict[str, str](), list[str]()
    for word in "".join(one if one.isprintable() else " " for one in line).split():
        key, colon, value = word.partition(":")
        if colon and key.isalpha():
            if key not in known:
                raise ValueError(f"there is no filter {key!r}: use {', '.join(known)}, or words to look for")
            if not value:
                raise ValueError(f"{key}: wants a value, as in {key}:…")
            found[key] = _day(key, value) if key in DAYS else value
            continue
        guessed = shorthand(word)
        if guessed:
            found[guessed] = word.removeprefix("#")
        else:
            text.append(word)
    if text:
        found[TEXT] = " ".join(text)
    return found


def written(args: Mapping[str, str]) -> str:
    """The line that `parsed` reads as these."""
    words = [f"{key}:{value}" for key, value in args.items() if key != TEXT]
    return " ".join([*words, *([args[TEXT]] if args.get(TEXT) else [])])
