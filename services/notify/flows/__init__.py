"""What several handlers and timers have in common: each is one piece of a transaction that is already open."""
