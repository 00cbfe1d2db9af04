"""A bad bar file is refused with its exit code; a bad row is quarantined and counted."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from station.calendars import at_et
from station.domain.clock import MINUTE, to_datetime
from station.domain.errors import BadInput
from station.domain.instruments import Timeframe
from station.series import DirtyFile, UnusableFile, read_all_bars, read_bars

OPEN = at_et(date(2024, 7, 2), "09:30")
HEADER = "ts_utc,open,high,low,close,volume"
Row = tuple[str, str, str, str, str, str]


def stamp(minute: int) -> str:
    return f"{to_datetime(OPEN + minute * MINUTE):%Y-%m-%dT%H:%M:%SZ}"


def good(minute: int) -> Row:
    return stamp(minute), "10", "11", "9", "10.5", "100"


def write(folder: Path, rows: list[Row], header: str = HEADER) -> Path:
    path = folder / "bars.csv"
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return path


def test_a_clean_csv_reads_whole(tmp_path: Path) -> None:
    file = read_bars(write(tmp_path, [good(n) for n in range(30)]), "SPY")
    assert (file.symbol, len(file.bars), file.dirt, file.step_ns) == ("SPY", 30, {}, MINUTE)
    assert file.bars.bar(0) == (OPEN, 10.0, 11.0, 9.0, 10.5, 100.0)


def test_each_row_fault_is_counted_under_its_code(tmp_path: Path) -> None:
    rows = [good(n) for n in range(300)]
    rows[5] = (stamp(5), "nan", "11", "9", "10", "100")
    rows[6] = (stamp(6), "10", "9.5", "9", "10", "100")
    rows[10] = good(9)
    rows[20], rows[21] = rows[21], rows[20]
    rows.append((stamp(-1), "10", "11", "9", "10", "100"))
    file = read_bars(write(tmp_path, rows), "SPY")
    assert file.dirt == {"nan": 1, "ohlc": 1, "off_session": 1, "duplicate": 1, "disorder": 1}
    assert len(file.bars) == 301 - 5
    assert (file.bars.start_ns[1:] > file.bars.start_ns[:-1]).all()


@pytest.mark.parametrize(
    "broken",
    [
        ("", "11", "9", "10", "100"),
        ("10", "inf", "9", "10", "100"),
        ("10", "11", "10.2", "10.5", "100"),
        ("-10", "11", "-11", "10", "100"),
        ("10", "11", "9", "10", "-1"),
        ("10", "11", "9", "10", ""),
    ],
)
def test_more_than_one_percent_of_broken_rows_is_refused(tmp_path: Path, broken: tuple[str, ...]) -> None:
    rows = [good(n) for n in range(200)]
    for n in (3, 50):
        rows[n] = (stamp(n), *broken)  # type: ignore[assignment]
    assert len(read_bars(write(tmp_path, rows), "SPY").bars) == 198
    rows[70] = (stamp(70), *broken)  # type: ignore[assignment]
    with pytest.raises(DirtyFile, match=r"3 of 200 SPY rows.*limit 1%") as caught:
        read_bars(write(tmp_path, rows), "SPY")
    assert caught.value.exit_code == 1
    assert isinstance(caught.value, BadInput)


@pytest.mark.parametrize("column", ["ts_utc", "open", "high", "low", "close", "volume"])
def test_a_missing_column_is_unusable(tmp_path: Path, column: str) -> None:
    path = write(tmp_path, [good(0), good(1)], HEADER.replace(column, "other"))
    with pytest.raises(UnusableFile, match=f"missing column {column}") as caught:
        read_bars(path, "SPY")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("2024-07-02T13:30:00", "naive"),
        ("2024-07-02 13:30:00", "naive"),
        ("2024-07-02T09:30:00-04:00", "not in UTC"),
        ("2024-07-02", "naive"),
        ("soon Z", "no time"),
    ],
)
def test_a_time_that_is_not_utc_is_unusable(tmp_path: Path, text: str, fault: str) -> None:
    path = write(tmp_path, [good(0), (text, "10", "11", "9", "10", "1")])
    with pytest.raises(UnusableFile, match=fault):
        read_bars(path, "SPY")


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_a_parquet_of_another_zone_is_unusable(tmp_path: Path, zone: str | None) -> None:
    columns = {name: [10.0] for name in ("open", "high", "low", "close", "volume")}
    table = pa.table({"ts_utc": pa.array([OPEN], pa.timestamp("ns", zone)), **columns})
    pq.write_table(table, tmp_path / "bars.parquet")
    with pytest.raises(UnusableFile, match=r"naive|not UTC"):
        read_bars(tmp_path / "bars.parquet", "SPY")


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", b"\x00\xff\xfe\x01", b"just words\n"])
def test_an_unreadable_file_is_unusable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bars.parquet"
    path.write_bytes(content)
    with pytest.raises(UnusableFile):
        read_bars(path, "SPY")
    with pytest.raises(UnusableFile, match="no such file"):
        read_bars(tmp_path / "absent.csv", "SPY")


def test_text_where_prices_belong_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile):
        read_bars(write(tmp_path, [good(0), (stamp(1), "ten", "11", "9", "10", "1")]), "SPY")


def test_microsecond_stamps_and_null_volume_of_an_index_are_fine(tmp_path: Path) -> None:
    starts = pa.array([(OPEN + n * MINUTE) // 1000 for n in range(3)], pa.timestamp("us", "UTC"))
    columns = {name: [10.0] * 3 for name in ("open", "high", "low", "close")}
    pq.write_table(pa.table({"ts_utc": starts, **columns}), tmp_path / "none.parquet")
    assert read_bars(tmp_path / "none.parquet", "SPX").bars.volume.tolist() == [0.0] * 3
    with pytest.raises(UnusableFile, match="volume"):
        read_bars(tmp_path / "none.parquet", "SPY")
    volume = pa.array([None, 1, None], pa.int64())
    pq.write_table(pa.table({"ts_utc": starts, **columns, "volume": volume}), tmp_path / "null.parquet")
    assert read_bars(tmp_path / "null.parquet", "SPX").bars.volume.tolist() == [0.0, 1.0, 0.0]


def test_the_symbol_comes_from_the_column_or_the_argument(tmp_path: Path) -> None:
    rows = [(*good(n), "SPY" if n % 2 else "VIX") for n in range(10)]
    path = write(tmp_path, rows, HEADER + ",symbol")  # type: ignore[arg-type]
    assert [(file.symbol, len(file.bars)) for file in read_all_bars(path)] == [("SPY", 5), ("VIX", 5)]
    assert len(read_bars(path, "VIX").bars) == 5
    with pytest.raises(UnusableFile, match="2 symbols"):
        read_bars(path)
    with pytest.raises(UnusableFile, match=r"no rows of ES.*SPY, VIX"):
        read_bars(path, "ES")
    with pytest.raises(UnusableFile, match="--symbol"):
        read_bars(write(tmp_path, [good(0)]))


def test_bars_coarser_than_asked_for_are_refused(tmp_path: Path) -> None:
    file = read_bars(write(tmp_path, [good(n) for n in range(0, 60, 10)]), "SPY")
    file.require(Timeframe.M10)
    with pytest.raises(UnusableFile, match="600 s apart, coarser than 5m"):
        file.require(Timeframe.M5)


def test_real_half_day_bars_after_the_close_are_quarantined(shared_data: Path) -> None:
    file = read_bars(shared_data / "bars_1m" / "spy_1m_2024-03_2025-04.parquet", "SPY")
    assert file.dirt == {"off_session": 2972}
    half = file.bars.since(at_et(date(2024, 7, 3), "09:30")).before(at_et(date(2024, 7, 4), "09:30"))
    assert len(half) == 210
    assert half.start_ns[-1] == at_et(date(2024, 7, 3), "12:59")


def test_real_sessions_present_twice_count_as_duplicates(shared_data: Path) -> None:
    file = read_bars(shared_data / "bars_1m" / "spy_1m_2021q1_ibhist_2021-01_02.parquet", "SPY")
    assert file.dirt == {"duplicate": 780}
    assert len(file.bars) == 38 * 390


def test_real_index_minutes_without_a_volume_column_read_as_zero(shared_data: Path) -> None:
    file = read_bars(shared_data / "bars_1m" / "spx_1m_2026-07-17_2026-08-07.parquet")
    assert (file.symbol, len(file.bars), file.dirt) == ("SPX", 6240, {})
    assert not file.bars.volume.any()
