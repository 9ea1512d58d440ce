"""The host of a board."""
