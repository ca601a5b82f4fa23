"""Several processes: shares of batches, shared statistics, sharded parameters."""
