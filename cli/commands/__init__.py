"""The commands, one module a noun; each imports what it needs only when it runs."""
