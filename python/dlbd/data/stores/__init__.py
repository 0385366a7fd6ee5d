"""The stores that files lie in behind a network: a client for each, whose waits end within a timeout."""
