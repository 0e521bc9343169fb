"""The reads: functions of a reader or a client and arguments that return response models."""
