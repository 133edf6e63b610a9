"""What an epoch of a training is made of: batches in pieces, and the checkpoint at its end."""
