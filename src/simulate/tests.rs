//! The sample is what is committed, the same seed gives the same bytes, and what is planted is there.
