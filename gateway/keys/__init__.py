"""Who may call: keys are read from Postgres, remembered, and forgotten when news of them come."""
