"""What handlers and timers share: load, decide, save, in the transaction that they opened."""
