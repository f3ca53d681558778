"""What can go wrong with a turn, beside a provider's own failures (contracts.ProviderError)."""

from conversations.contracts import ToolFailed


class LeaseLost(Exception):
    """Another process took the turn over: this one may write nothing more of it."""


class NotARetry(Exception):
    """There is nothing to ask again: the turn is still running, was answered, or is not this person's."""


class BeingTold(NotARetry):
    """It has ended, and the process that tells its person has yet to note that: a moment later it may be retried."""


class NoThread(Exception):
    """No such conversation is on this person's list."""


class TimedOut(ToolFailed):
    """A tool ran into its time limit, where that was not the loop's to notice."""


class StoppedCall(ToolFailed):
    """The person stopped it; what it had cost by then is charged."""


class Interrupted(ToolFailed):
    """A tool's process died, and it is not known how far the tool had come."""
