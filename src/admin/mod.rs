//! How the admin talks to the running daemon: one JSON object a line over a Unix socket.

mod client;
mod protocol;
mod server;
mod why;

pub use client::{Client, ClientError};
pub use protocol::{
    AdminAnswer, AdminRequest, BanView, FenceView, Refusal, SourceView, StatusView, StoreView,
};
pub use server::{Listener, serve};
pub use why::{CountView, EventView, EvidenceView, HistoryView, NowView, TenantCountView, WhyBan, WhyView};
