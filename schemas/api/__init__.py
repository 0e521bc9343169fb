"""The bodies of the HTTP API: inputs refuse unknown fields, outputs name every field."""
