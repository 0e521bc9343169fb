"""A tenant as a folder of JSON Lines and files: written by an export, read by an import."""
