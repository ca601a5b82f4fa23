"""Images: files, batches, and the image data sets."""
