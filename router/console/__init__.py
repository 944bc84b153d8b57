"""The operators' console at /console: pages made here, kept fresh by server-sent events."""
