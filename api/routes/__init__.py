"""The routes below /api/v1, one file for each thing they are about."""
