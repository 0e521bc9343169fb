"""Removing what the system knew of work that ended long ago, paced and in parts."""
