"""The demo: twelve tenants whose collections are real files of this machine."""
