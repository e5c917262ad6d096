"""Filters of Explore that show what there is: counts and histograms by column."""
