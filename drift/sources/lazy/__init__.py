"""Lazy and distributed frames, counted by their own engines; `lazy_table.py` has the frames, `spark.py` a source."""
