"""From plant data to one ONNX file that the edge can put in service."""
