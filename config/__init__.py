"""Settings and the shipped defaults. Imports nothing of the station."""
