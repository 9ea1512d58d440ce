"""A board in simulation."""
