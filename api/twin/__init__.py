"""The digital twin: each asset of the plant file as an Asset Administration Shell (AAS V3.0, IDTA-01001-3-0).

Everything here is built from the plant and from what the store knows, and holds no state of its own.
"""
