"""Who a client is, and whether it proved it."""
