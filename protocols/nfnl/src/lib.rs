//! nfnetlink bytes: messages and nf_tables sets, without I/O.
