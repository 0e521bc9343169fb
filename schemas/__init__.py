"""What crosses a process boundary: ids, topics, messages, tables, mappings, HTTP bodies."""
