"""From a user's frame to canonical columns: cells, labels, identifiers."""
