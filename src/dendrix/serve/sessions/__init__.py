"""States that the server keeps: sessions that clients continue, and prefixes of prompts that are not read twice."""
