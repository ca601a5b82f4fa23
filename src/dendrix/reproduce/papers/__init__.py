"""Published results made again, each number beside its source."""
