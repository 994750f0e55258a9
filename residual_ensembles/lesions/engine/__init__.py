"""Evaluates many lesions of a network, computing once what they share."""
