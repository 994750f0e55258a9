"""Exactness of evaluations: agreement with the reference, ties, reduced precision, sampling."""
