"""Results for people and programs: HTTP, server-sent events and the dashboard."""
