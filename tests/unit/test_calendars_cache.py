"""The cache of the session tables makes a start fast and can never make it wrong."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from station.calendars import open_calendar, tables
from station.domain.instruments import Hours


def same(first: tables.Tables, second: tables.Tables) -> bool:
    columns = ("day", "open_ns", "close_ns", "early")
    return all(
        np.array_equal(getattr(first[hours], name), getattr(second[hours], name))
        for hours in Hours
        for name in columns
    )


@pytest.fixture(scope="module")
def built() -> tables.Tables:
    return tables.build_tables()


@pytest.fixture
def cached(tmp_path: Path, built: tables.Tables) -> Path:
    """A sound cache file, already written."""
    assert same(tables.load_tables(tmp_path), built)
    (path,) = tmp_path.glob("*.npz")
    return path


def test_the_cache_is_private_and_says_what_the_libraries_said(cached: Path, built: tables.Tables) -> None:
    assert stat.S_IMODE(cached.stat().st_mode) == 0o600
    assert list(cached.parent.iterdir()) == [cached]
    assert same(tables.load_tables(cached.parent), built)


def test_a_start_with_a_cache_imports_neither_calendar_library(cached: Path, repo_root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from station.calendars import load_calendar;"
        f"load_calendar(Path({str(cached.parent)!r}));"
        "print(sorted({'pandas', 'exchange_calendars', 'pandas_market_calendars'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def scribbled(path: Path) -> None:
    path.write_text("not an archive")


def bit_flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def column_missing(path: Path) -> None:
    with np.load(path) as stored:
        kept = {name: stored[name] for name in stored.files if name != "futures_open_ns"}
    with path.open("wb") as stream:
        np.savez(stream, **kept)


def disordered(path: Path) -> None:
    with np.load(path) as stored:
        columns = {name: stored[name].copy() for name in stored.files}
    columns["regular_open_ns"][10:12] = columns["regular_open_ns"][10:12][::-1]
    with path.open("wb") as stream:
        np.savez(stream, **columns)


@pytest.mark.parametrize(
    "damage", [truncated, emptied, scribbled, bit_flipped, column_missing, disordered],
    ids=lambda damage: damage.__name__,
)  # fmt: skip
def test_a_damaged_cache_is_rebuilt(cached: Path, built: tables.Tables, damage: Callable[[Path], None]) -> None:
    damage(cached)
    assert same(tables.load_tables(cached.parent), built)
    assert same(tables.load_tables(cached.parent), built)
    assert list(cached.parent.iterdir()) == [cached]


def test_an_unusable_cache_directory_costs_speed_and_no_error(tmp_path: Path, built: tables.Tables) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("here stands a file")
    assert same(tables.load_tables(blocked / "cache"), built)
    assert open_calendar(blocked).table(Hours.REGULAR).day.size > 5_000


def test_a_cache_directory_that_takes_the_files_place_is_survived(cached: Path, built: tables.Tables) -> None:
    cached.unlink()
    cached.mkdir()
    assert same(tables.load_tables(cached.parent), built)
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]


def test_without_a_directory_the_cache_goes_where_xdg_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert tables.default_cache_dir() == tmp_path / "vigil"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tables.default_cache_dir() == tmp_path / ".cache" / "vigil"


def test_the_tables_cannot_be_changed(built: tables.Tables) -> None:
    with pytest.raises(ValueError, match="read-only"):
        built[Hours.REGULAR].open_ns[0] = 0
