"""One page of HTML that tells a run: it needs nothing else, no network and no script."""
