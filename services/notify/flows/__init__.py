"""What handlers and timers have in common: each a piece of a transaction that is already open."""
