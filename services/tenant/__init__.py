"""Use cases inside one tenant: documents, versions, content, its audit log."""
