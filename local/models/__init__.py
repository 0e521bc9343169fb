"""The local model server: Ollama's HTTP API over MiniLM embeddings, rules and quotations."""
