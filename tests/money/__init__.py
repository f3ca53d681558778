"""The money table: what can go wrong with a dollar, counted over processes that are killed. `make money` prints it."""
