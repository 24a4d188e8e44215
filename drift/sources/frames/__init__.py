"""Rows in memory: data frames of any library, as Arrow columns."""
