"""From graphs to trained networks, identified states and their probabilities."""
