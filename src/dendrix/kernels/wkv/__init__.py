"""The WKV recurrence of RWKV and SpikeGPT, forward and backward."""
