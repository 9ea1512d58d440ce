"""The machine on buses: registers from one definition, AXI4-Lite with AXI4-Stream, Wishbone (docs/buses.md)."""
