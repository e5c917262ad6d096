"""Studies: a grid of methods and seeds trained from one base, measured, and set in a table."""
