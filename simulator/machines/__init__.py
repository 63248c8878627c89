"""The machines: one file each, with its equations, their references and the sources of its parameters."""
