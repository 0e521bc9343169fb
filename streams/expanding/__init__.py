"""From one archive or prefix to many documents: what is in it, and what is said of each."""
