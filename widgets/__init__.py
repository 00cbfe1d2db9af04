"""The terminal: one disposable full-screen client of the engine. Knows station.link and plain values only."""
