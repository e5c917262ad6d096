"""The hits of Explore: facts about them, sorting and cutting, figures."""
