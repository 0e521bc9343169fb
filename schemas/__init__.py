"""What crosses a process boundary: ids, topics, messages, tables, index mappings, HTTP bodies. Opens nothing."""
