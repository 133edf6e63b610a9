"""How fast states change: from lagged covariances to timescales, tests and paths."""
