"""Studies to read, without a network behind them."""

from synthetic_study import study, study_of_three_seeds

__all__ = ["study", "study_of_three_seeds"]
