"""What a recipe leaves: shards in RS5M's layout, a table, a data card and a quality report."""
