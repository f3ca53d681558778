"""The room where foreign bytes are read: always in a process of its own, with little memory and time.

`apart.py` is the door: it starts the process and hears what it found. Everything else here runs on
the other side of it, knows no setting and no table, and starts with an empty environment.
"""
