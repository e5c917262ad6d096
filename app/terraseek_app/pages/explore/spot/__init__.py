"""Where in the selected item: the heat map of the query in the map of Explore."""
