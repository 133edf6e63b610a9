"""Graphs of many frames by many: processes of this machine, workers on others, jobs of a batch queue."""
