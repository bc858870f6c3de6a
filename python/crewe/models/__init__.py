"""Linear and binary models, from a request to the result."""
