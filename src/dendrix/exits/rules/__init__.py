"""Exit rules, one file each: a score after every step, and a threshold that it must exceed."""
