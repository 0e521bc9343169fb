"""The real servers and the whole product on one machine, without containers."""
