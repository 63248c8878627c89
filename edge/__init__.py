"""kullager's edge: from machine signals to assessments and alarms, in the blocks of ISO 13374."""

__version__ = "0.1.0"
