"""What every kind of proof shares: the real data pack, where there is one, and one quiet Hypothesis profile."""

from __future__ import annotations

import os
import sys
from pathlib import Path

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
    """Keep what the station caches out of the user's home, and what Python compiles for later runs and for the
    processes that the tests start: without it each of them would compile the whole station anew."""
    assert config.cache is not None
    os.environ["XDG_CACHE_HOME"] = str(config.cache.mkdir("xdg"))
    os.environ["XDG_STATE_HOME"] = str(config.cache.mkdir("xdg_state"))
    if sys.dont_write_bytecode:
        compiled = str(config.cache.mkdir("compiled"))
        sys.dont_write_bytecode, sys.pycache_prefix = False, compiled
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = compiled


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
