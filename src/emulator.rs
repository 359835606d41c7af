//! The clouds on loopback.
