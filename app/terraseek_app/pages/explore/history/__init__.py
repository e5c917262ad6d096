"""Earlier and saved searches of Explore, and the comparison of two searches."""
