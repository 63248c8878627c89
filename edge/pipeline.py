"""The blocks of ISO 13374 in order. No sockets and no clock: it is fed sample batches and `advance` events."""
