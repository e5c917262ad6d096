"""Parts of a large items table: rows and deletion marks that were added after its file."""
