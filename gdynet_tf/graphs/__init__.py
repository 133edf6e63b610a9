"""From frames to the periodic graph of nearest neighbours, on disk or in memory."""
