"""Path gradients of a study: chunks of work, their cache, and the tables."""
