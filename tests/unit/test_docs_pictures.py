"""The page of pictures shows every screen, from files that are there and small."""

from __future__ import annotations

from pathlib import Path

from tests.pictures import FOLDER, SHOWN, page
from widgets.actions import SCREENS

NAMED = {"tactics": "strategies", "settings": "configuration"}
LARGEST = 80 * 1024


def test_every_screen_stands_on_the_page_of_pictures(repo_root: Path) -> None:
    names = {shown.name for shown in SHOWN}
    assert {NAMED.get(entry.name, entry.name) for entry in SCREENS} <= names
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == page(), "run python -m tests.pictures"
    assert {path.stem for path in FOLDER.glob("*.svg")} == names
    assert max(path.stat().st_size for path in FOLDER.glob("*.svg")) <= LARGEST
    assert "(widgets/pictures/README.md)" in (repo_root / "README.md").read_text(encoding="utf-8")
