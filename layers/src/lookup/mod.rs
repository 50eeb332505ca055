//! Id lookup.
