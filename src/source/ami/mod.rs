//! Asterisk through its manager interface.

mod settings;

pub use settings::{AmiSettings, AuthMethod, TlsSettings};
