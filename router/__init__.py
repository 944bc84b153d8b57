"""The HTTP edge. It speaks HTTP and nothing else: no SQL, no S3."""
