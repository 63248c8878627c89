"""The machines as real OPC UA servers, one for each OPC UA source of the plant file."""
