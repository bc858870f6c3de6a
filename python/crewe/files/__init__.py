"""Files in and out: written whole, read as TOML."""
