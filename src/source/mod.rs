//! Where events come from: I/O loops that read a PBX, reconnect, and say when they are blind.

pub mod ami;
