"""Old and new semantic conventions to one set of columns; query text to query shape."""
