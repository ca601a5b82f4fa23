"""Image data sets: in memory or decoded from files, and their batches."""
