//! What a mix holds is what was asked for.
