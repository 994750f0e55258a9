"""Pure formulas: intervals, paired tests, equivalence, rank correlation, seeded random numbers."""
