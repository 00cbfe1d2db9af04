"""The desk leads each trade from room to room: reduce, commit, then act."""
