"""Passing every received request on to a next hop, its bytes untouched, however long that hop is away.

A request is appended to a queue on disk before its sender is answered. Sending threads take from it in order, several
at a time; a position file beside the queue says which requests are settled, so that a restart sends the others.
"""

from tracelens.forwarding.forwarder import Forwarder, forward_folder
from tracelens.forwarding.statistics import ForwardStatistics

__all__ = ["ForwardStatistics", "Forwarder", "forward_folder"]
