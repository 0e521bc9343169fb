"""The delay consumer: holds what waits on the retry topics until it is due, then returns it."""
