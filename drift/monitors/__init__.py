"""What a monitor is and how it decides: pure values and functions; `now` and `rng` are arguments."""
