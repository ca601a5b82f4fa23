"""Operations of RWKV: token shift and the WKV recurrence."""
