"""Each page: what it asks of the services, and the values that its template shows."""
