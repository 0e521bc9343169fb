"""Rate limits: token buckets that all gateways share through Postgres, leased ahead in process."""
