"""Settings of published and of shipped models: `palette train TASK --config NAME`."""
