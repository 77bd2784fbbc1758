//! How the admin talks to the running daemon: one JSON object a line over a Unix socket.

mod client;
mod protocol;
mod server;

pub use client::{Client, ClientError};
pub use protocol::{
    AdminAnswer, AdminRequest, BanView, FenceView, HistoryView, Refusal, StatusView, StoreView, WhyView,
};
pub use server::{Listener, serve};
