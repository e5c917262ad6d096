"""The training methods of published papers, as modules and losses to be combined."""
