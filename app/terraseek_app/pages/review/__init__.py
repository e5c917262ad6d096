"""Review page: caption review with the keyboard."""
