//! Bearer authentication.
