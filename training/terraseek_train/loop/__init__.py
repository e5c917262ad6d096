"""Parts of the training loop: model, objective, losses, checkpoints, processes."""
