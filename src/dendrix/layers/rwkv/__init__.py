"""The parts of RWKV without weights of their own: token shift and the WKV recurrence."""
