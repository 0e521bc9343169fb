"""The HTTP surface: it reads, publishes requests, and waits for their results."""
