"""Events over a WebSocket: who is let in, what is said, and how it ends."""
