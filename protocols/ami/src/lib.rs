//! Asterisk Manager Interface: frames, login and security events, without I/O.
