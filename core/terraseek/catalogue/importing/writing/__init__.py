"""Writing of imported items to disk while they are read, so that memory stays bounded."""
