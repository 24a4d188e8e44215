"""Rows in memory: frames of any library, in Arrow's form."""
