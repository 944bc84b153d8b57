"""The `docshard` command."""
