"""A heat map as one HTML page that needs neither a server nor the internet."""
