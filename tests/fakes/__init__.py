"""Stand-ins for the services at the edge, over real HTTP."""
