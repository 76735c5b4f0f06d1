"""Large runs against theory and measurement, and the plain simulations that the fast ones must equal."""
