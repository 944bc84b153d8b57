"""What proves who somebody is: principals, passwords, tokens, key texts."""
