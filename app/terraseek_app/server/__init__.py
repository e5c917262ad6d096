"""Server side shared by pages and routes: settings, loaded objects, uploads, query images."""
