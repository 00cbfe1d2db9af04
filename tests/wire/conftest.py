"""A station's broker over the emulated wire, for every test that wants one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.wire.wire_rig import Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig("tws", tmp_path)
    await rig.open()
    yield rig
    await rig.close()
