//! hibernation
