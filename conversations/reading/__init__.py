"""The room where foreign bytes are read: always in a process of its own, with little memory and time.

`apart.py` asks, through the one door to such processes (config.apart), and hears what was found. Everything
else here runs on its other side, knows no setting and no table, and starts with an empty environment.
"""
