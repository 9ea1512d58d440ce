"""The analog array: devices, wires and noise behind the crossbar port (section 13 of the specification)."""
