"""Text that leaves the screen: to the terminal's clipboard, and to a file, since none says it took it."""

from __future__ import annotations

import asyncio
import base64
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

CLIPBOARD_LIMIT: Final = 74_000
"""Terminals drop longer OSC 52 texts (xterm's 100,000 base64 characters are the least generous)."""
COPY_NAME: Final = "copy.txt"
SCREEN_LIMIT: Final = 700
"""GNU screen passes no longer piece on."""
TMUX_S: Final = 10.0
SAID: Final = 120
"""So much of what tmux answers is told."""


def clipboard_words(text: str, environ: Mapping[str, str]) -> str:
    """What asks the terminal to keep `text` (OSC 52), packed so that tmux or GNU screen hands it on."""
    plain = f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'replace')).decode()}\a"
    if environ.get("TMUX"):
        doubled = plain.replace("\x1b", "\x1b\x1b")
        return f"{plain}\x1bPtmux;{doubled}\x1b\\"
    if environ.get("STY"):
        pieces = (plain[at : at + SCREEN_LIMIT] for at in range(0, len(plain), SCREEN_LIMIT))
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return plain


async def to_tmux(text: str) -> str:
    """Into tmux's own buffer, and through it to its terminal: as it comes, tmux takes OSC 52 from nobody. Why
    not, or empty where it did."""
    try:
        asked = await asyncio.create_subprocess_exec(
            "tmux", "load-buffer", "-w", "-", stdin=PIPE, stdout=DEVNULL, stderr=PIPE
        )
    except OSError as error:
        return f"tmux: {error.strerror or error}"
    try:
        async with asyncio.timeout(TMUX_S):
            _, wrong = await asked.communicate(text.encode("utf-8", "replace"))
    except TimeoutError:
        asked.kill()
        return f"tmux gave no answer within {TMUX_S:g} s"
    return (
        ""
        if asked.returncode == 0
        else " ".join(wrong.decode("utf-8", "replace").split())[:SAID] or "tmux failed"
    )


def keep(folder: Path, name: str, text: str) -> Path:
    """Write `text` to `folder/name`, readable by its owner alone. Raises OSError where the disk refuses."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
    fresh = path.with_name(f".{path.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text if text.endswith("\n") else f"{text}\n")
    fresh.replace(path)
    return path


def copied(text: str, folder: Path | None, to_clipboard: Callable[[str], None]) -> tuple[str, str]:
    """Copy by OSC 52 and to a file; what to say of it, and in which tone."""
    if not text.strip():
        return "nothing stands here to copy", "warn"
    lines = len(text.splitlines())
    fits = len(text.encode()) <= CLIPBOARD_LIMIT
    if fits:
        to_clipboard(text)
    went = [f"{lines} lines to the terminal's clipboard" if fits else "too long for a terminal's clipboard"]
    if folder is not None:
        try:
            went.append(
                f"also in {keep(folder, COPY_NAME, text)}" if fits else f"see {keep(folder, COPY_NAME, text)}"
            )
        except OSError as error:
            return f"{went[0]}; {folder} cannot be written: {error.strerror or error}", "warn"
    return "; ".join(went), "good" if fits or folder is not None else "warn"
