"""What the sample documents are made of: texts, true fields and a writer of each format."""
