"""Delivering events to the endpoints of webhooks: what is due, signed, sent, retried, given up."""
