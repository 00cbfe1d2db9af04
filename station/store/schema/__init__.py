"""The numbered steps that make each database; a released step is never edited, only followed."""

from station.store.schema.archive import ARCHIVE_STEPS
from station.store.schema.config import CONFIG_STEPS
from station.store.schema.lifecycle import LIFECYCLE_STEPS
from station.store.schema.wealth import WEALTH_STEPS

__all__ = ["ARCHIVE_STEPS", "CONFIG_STEPS", "LIFECYCLE_STEPS", "WEALTH_STEPS"]
