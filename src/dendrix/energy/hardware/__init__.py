"""Hardware models: energies of operations and memories, as small TOML files with their sources."""
