"""What carries messages from one process to the others: the interface and its backends."""
