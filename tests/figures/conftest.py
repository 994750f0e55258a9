"""Studies to read, without a network behind them."""

from tests.helpers.synthetic_study import claims, study, study_of_three_seeds

__all__ = ["claims", "study", "study_of_three_seeds"]
