"""Boards, bitstreams and the host link."""
