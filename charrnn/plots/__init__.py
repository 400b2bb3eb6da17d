"""Charts written to image files with matplotlib."""
