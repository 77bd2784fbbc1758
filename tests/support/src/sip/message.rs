//! What is asked, byte by byte, and what a response says.

use std::net::SocketAddr;

use super::digest::Challenge;

/// A request to be sent; every byte of it can be chosen.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) method: &'static str,
    pub(super) user: String,
    pub(super) password: Option<String>,
    from_user: Vec<u8>,
    to_user: String,
    call_id: Option<Vec<u8>>,
}

impl Request {
    /// REGISTER of `user`.
    pub fn register(user: &str) -> Self {
        Self::new("REGISTER", user, user)
    }

    /// INVITE by `user` to `number`.
    pub fn invite(user: &str, number: &str) -> Self {
        Self::new("INVITE", user, number)
    }

    /// OPTIONS, the keep-alive of many phones.
    pub fn options(user: &str) -> Self {
        Self::new("OPTIONS", user, user)
    }

    fn new(method: &'static str, user: &str, to: &str) -> Self {
        Self {
            method,
            user: user.to_owned(),
            password: None,
            from_user: user.as_bytes().to_vec(),
            to_user: to.to_owned(),
            call_id: None,
        }
    }

    /// Answers a challenge with `password`; without one the challenge is the final answer.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Puts these bytes where the From user stands.
    #[must_use]
    pub fn from_user(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.from_user = bytes.into();
        self
    }

    /// Puts these bytes where the Call-ID stands, instead of a new one for each request; without any, there is no such header.
    #[must_use]
    pub fn call_id(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.call_id = Some(bytes.into());
        self
    }

    /// The Request-URI when sent to `server`.
    pub(super) fn uri(&self, server: SocketAddr) -> String {
        match self.method {
            "REGISTER" => format!("sip:{server}"),
            _ => format!("sip:{}@{server}", self.to_user),
        }
    }

    /// The bytes of one attempt; `id` makes tag, Call-ID and branch its own, `sequence` counts within it.
    pub(super) fn bytes(&self, ends: &Ends, id: &str, sequence: u32, credentials: Option<&str>) -> Vec<u8> {
        let Ends { local, server, via } = ends;
        let (method, user, to) = (self.method, &self.user, &self.to_user);
        let uri = self.uri(*server);
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{via} {local};branch=z9hG4bK{id}.{sequence};rport\r\n\
             Max-Forwards: 70\r\nTo: <sip:{to}@{server}>\r\nCSeq: {sequence} {method}\r\n"
        )
        .into_bytes();
        text.extend_from_slice(b"From: <sip:");
        text.extend_from_slice(&self.from_user);
        text.extend_from_slice(format!("@{server}>;tag={id}").as_bytes());
        let call_id = self.call_id.as_deref().unwrap_or(id.as_bytes());
        if !call_id.is_empty() {
            text.extend_from_slice(b"\r\nCall-ID: ");
            text.extend_from_slice(call_id);
        }
        let transport = via.to_ascii_lowercase();
        text.extend_from_slice(
            format!("\r\nContact: <sip:{user}@{local};transport={transport}>\r\n").as_bytes(),
        );
        if method == "REGISTER" {
            text.extend_from_slice(b"Expires: 120\r\n");
        }
        if let Some(credentials) = credentials {
            text.extend_from_slice(credentials.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        text
    }

    /// The ACK that ends an INVITE refused with `response`: without it the server repeats its refusal.
    pub(super) fn ack(&self, ends: &Ends, id: &str, sequence: u32, response: &Response) -> Vec<u8> {
        let Ends { local, server, via } = ends;
        let uri = self.uri(*server);
        let to = &response.to;
        let mut text = format!(
            "ACK {uri} SIP/2.0\r\nVia: SIP/2.0/{via} {local};branch=z9hG4bK{id}.{sequence};rport\r\n\
             Max-Forwards: 70\r\nTo: {to}\r\nCSeq: {sequence} ACK\r\nContent-Length: 0\r\n"
        )
        .into_bytes();
        text.extend_from_slice(b"From: <sip:");
        text.extend_from_slice(&self.from_user);
        text.extend_from_slice(format!("@{server}>;tag={id}\r\nCall-ID: ").as_bytes());
        text.extend_from_slice(self.call_id.as_deref().unwrap_or(id.as_bytes()));
        text.extend_from_slice(b"\r\n\r\n");
        text
    }
}

/// Between whom a request goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) local: SocketAddr,
    pub(super) server: SocketAddr,
    /// `UDP`, `TCP` or `TLS`, as the Via header names it.
    pub(super) via: &'static str,
}

/// What matters of a response.
#[derive(Clone, Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) challenge: Option<Challenge>,
    branch: String,
    to: String,
}

impl Response {
    /// Takes the first complete message off `buffer`: its length, and the response if it is one.
    pub(super) fn take(buffer: &[u8]) -> Option<(usize, Option<Self>)> {
        let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&buffer[..head]);
        let header = |name: &str| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.trim()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        let body: usize = header("content-length")
            .and_then(|value| value.parse().ok())
            .unwrap_or(0);
        let length = head + body;
        if buffer.len() < length {
            return None;
        }
        Some((length, Self::read(&text, header)))
    }

    fn read(text: &str, header: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let status = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
        let via = header("via")?;
        let branch = via
            .split(';')
            .find_map(|part| part.trim().strip_prefix("branch="))?
            .to_owned();
        let challenge = [
            ("www-authenticate", "Authorization"),
            ("proxy-authenticate", "Proxy-Authorization"),
        ]
        .into_iter()
        .find_map(|(name, answer)| Challenge::parse(answer, &header(name)?));
        Some(Self {
            status,
            challenge,
            branch,
            to: header("to")?,
        })
    }

    /// Whether it answers request number `sequence` of `id`.
    pub(super) fn answers(&self, id: &str, sequence: u32) -> bool {
        self.branch == format!("z9hG4bK{id}.{sequence}")
    }
}
