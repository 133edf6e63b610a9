"""What surrounds the targets in each state, and where in space they are."""
