"""Who should move where, in which batches, and what that will take. Pure: facts in, a plan out."""
