"""Statistics: divergences, smoothing, what chance alone does, and what reference windows teach."""
