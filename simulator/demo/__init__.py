"""The demo: broker, simulator, edge and api on one machine, kept running by supervisor, and ended together."""
