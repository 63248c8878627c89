"""The parts of the edge's own OPC UA server: what it shows, its alarms as conditions, and what it guards against."""
