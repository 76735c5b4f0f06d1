"""The question in closed form: expectation over all randomness, room for room the twin of the simulated wing."""
