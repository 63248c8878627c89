"""Energy and flow: what a machine does with its time, and what a unit of its product costs in energy."""
