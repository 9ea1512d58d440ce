"""Simulation of the machine: co-simulation, compiled simulation and the scoreboard."""
