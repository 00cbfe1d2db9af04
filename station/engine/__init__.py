"""The composition root: builds the station from settings, and supervises it."""
