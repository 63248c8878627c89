"""The stage and the test bench: physical machines that a real OPC UA server and MQTT topics show to the world."""
