"""Statistics: divergences, smoothing, null distributions, and calibration on reference windows."""
