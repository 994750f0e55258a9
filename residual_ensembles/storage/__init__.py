"""What is written: whole files, what results are named by, and what made them."""
