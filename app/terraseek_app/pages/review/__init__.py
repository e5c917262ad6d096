"""Review page: review captions with the keyboard."""
