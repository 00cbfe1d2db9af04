"""What a replay plays: the catalogue's symbols of its files, or those that are named, known or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import load_settings
from station.domain.errors import BadInput
from station.domain.instruments import INSTRUMENTS, SecType
from station.engine.options import RunOptions
from station.engine.recorded import Recorded, read_recorded

ROW = "2026-11-18T14:{minute}:00Z,10,11,9,10,100"


@pytest.fixture(autouse=True)
def catalogue() -> Iterator[None]:
    """What a replay enlists is taken out again."""
    before = dict(INSTRUMENTS)
    yield
    INSTRUMENTS.clear()
    INSTRUMENTS.update(before)


def bars(path: Path, *symbols: str) -> Path:
    lines = ["ts_utc,open,high,low,close,volume,symbol"]
    lines += [f"{ROW.format(minute=minute)},{symbol}" for symbol in symbols for minute in (30, 31)]
    path.write_text("\n".join(lines) + "\n")
    return path


def nameless(path: Path) -> Path:
    path.write_text("ts_utc,open,high,low,close,volume\n" + ROW.format(minute=30) + "\n")
    return path


def read(*paths: Path, symbol: str | None = None) -> Recorded:
    options = RunOptions(runtime=paths[0].parent / "r", broker="replay", bars=paths, symbol=symbol)
    found = read_recorded(options, load_settings({"broker.kind": "replay"}))
    assert found is not None
    return found


def test_without_names_the_catalogues_symbols_are_played(tmp_path: Path) -> None:
    assert list(read(bars(tmp_path / "a.csv", "AAPL", "QQQ", "SPY")).bars) == ["QQQ", "SPY"]
    assert "AAPL" not in INSTRUMENTS


def test_several_named_symbols_are_played_and_an_unknown_one_is_a_share_without_options(tmp_path: Path) -> None:
    file = bars(tmp_path / "a.csv", "AAPL", "QQQ", "SPY", "TSLA")
    assert set(read(file, symbol="SPY,AAPL,SPY").bars) == {"SPY", "AAPL"}
    share = INSTRUMENTS["AAPL"]
    assert (share.sec_type, share.option_class) == (SecType.STOCK, "")
    assert "TSLA" not in INSTRUMENTS


def test_the_named_symbols_may_lie_in_several_files(tmp_path: Path) -> None:
    one, two = bars(tmp_path / "a.csv", "SPY", "IWM"), bars(tmp_path / "b.csv", "VIX")
    assert set(read(one, two, symbol="VIX,SPY").bars) == {"SPY", "VIX"}


def test_one_name_is_that_of_a_file_without_symbols(tmp_path: Path) -> None:
    assert list(read(nameless(tmp_path / "a.csv"), symbol="SPY").bars) == ["SPY"]


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("SPY,spy", "'spy' is no symbol"),
        ("SPY,", "'' is no symbol"),
        ("SPY,TSLA", "no bars of TSLA"),
    ],
)
def test_names_that_cannot_be_played_are_refused(symbol: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=words):
        read(bars(tmp_path / "a.csv", "SPY", "AAPL"), symbol=symbol)
    assert "TSLA" not in INSTRUMENTS


def test_several_names_need_a_symbol_column_and_each_symbol_comes_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no symbol column"):
        read(nameless(tmp_path / "a.csv"), symbol="SPY,QQQ")
    with pytest.raises(BadInput, match="SPY was in an earlier file already"):
        read(bars(tmp_path / "b.csv", "SPY"), bars(tmp_path / "c.csv", "SPY", "QQQ"), symbol="SPY,QQQ")
