"""Training with several processes: shares of batches, common statistics, sharded parameters."""
