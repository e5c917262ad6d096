"""Models that a study trains: one class per method, with its options, loss and scores."""
