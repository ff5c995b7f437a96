"""What the stored runs say: pure functions on the frame of runs, and the statistics under them."""
