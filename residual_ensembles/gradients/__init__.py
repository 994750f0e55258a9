"""The gradients of a study by path: in which pieces they are computed, and what is kept."""
