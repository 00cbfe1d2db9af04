"""What every kind of proof shares: the real data pack, where there is one, and one quiet Hypothesis profile."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from pathlib import Path

if sys.dont_write_bytecode:
    # Each worker, and each process that a test starts, would compile the whole station and its libraries anew.
    # Set before the first import that is not pytest's: some libraries are rewritten as tests are.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(
        Path(tempfile.gettempdir()) / f"vigil-tests-{os.getuid()}" / "compiled"
    )
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"

settings.register_profile(
    "vigil",
    derandomize=True,
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("vigil")


def pytest_configure(config: pytest.Config) -> None:
    """Keep what the station caches out of the user's home, and the user's own settings and terminal out of the
    tests."""
    for name in [name for name in os.environ if name.startswith(("VIGIL_", "TMUX")) or name == "STY"]:
        del os.environ[name]
    assert config.cache is not None
    os.environ["XDG_CACHE_HOME"] = str(config.cache.mkdir("xdg"))
    os.environ["XDG_STATE_HOME"] = str(config.cache.mkdir("xdg_state"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Some thousand collected tests are no garbage: to look through them again and again was a tenth of the
    suite's work."""
    del session
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The directory that holds `app.py`."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of real market data; the test is skipped, with the reason, where it is absent."""
    if not (SHARED_DATA / "manifest.json").is_file():
        pytest.skip(f"no real data pack at {SHARED_DATA}: only synthetic bars are tested here")
    return SHARED_DATA
