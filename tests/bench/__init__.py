"""How Starling compares with the smallest possible bot, in one run on one machine. `make bench` prints it."""
