"""Training data: sources, corpus, augmentation, batches, leakage check."""
