"""Events on their way to clients: one hub a gateway, one feed a tenant, one stream a client."""
