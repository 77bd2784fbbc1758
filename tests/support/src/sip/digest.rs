//! Digest authentication, RFC 2617 with MD5.

use md5::{Digest as _, Md5};

use std::fmt::Write as _;

/// A server's challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    /// `Authorization` or `Proxy-Authorization`.
    pub(super) answer_header: &'static str,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    qop: bool,
}

impl Challenge {
    /// Reads the value of a `WWW-Authenticate` (or proxy) header; `None` if it isn't an MD5 digest.
    pub(super) fn parse(answer_header: &'static str, value: &str) -> Option<Self> {
        let fields = value.trim().strip_prefix("Digest")?;
        let field = |name: &str| {
            fields.split(',').find_map(|field| {
                let (key, value) = field.split_once('=')?;
                key.trim()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().trim_matches('"').to_owned())
            })
        };
        let md5 = field("algorithm").is_none_or(|algorithm| algorithm.eq_ignore_ascii_case("md5"));
        md5.then_some(())?;
        Some(Self {
            answer_header,
            realm: field("realm")?,
            nonce: field("nonce")?,
            opaque: field("opaque"),
            qop: field("qop").is_some(),
        })
    }

    /// The credentials for one request.
    pub(super) fn answer(&self, user: &str, password: &str, method: &str, uri: &str) -> String {
        let Self { realm, nonce, .. } = self;
        let secret = md5(&format!("{user}:{realm}:{password}"));
        let request = md5(&format!("{method}:{uri}"));
        let (proof, quality) = if self.qop {
            let proof = md5(&format!("{secret}:{nonce}:00000001:lab:auth:{request}"));
            (proof, ", qop=auth, nc=00000001, cnonce=\"lab\"")
        } else {
            (md5(&format!("{secret}:{nonce}:{request}")), "")
        };
        let mut credentials = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{proof}\", algorithm=MD5{quality}"
        );
        if let Some(opaque) = &self.opaque {
            let _ = write!(credentials, ", opaque=\"{opaque}\"");
        }
        credentials
    }
}

/// MD5 in hexadecimal.
pub(crate) fn md5(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_those_of_rfc_2617() {
        let challenge = Challenge::parse(
            "Authorization",
            r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc""#,
        )
        .unwrap();
        let credentials = challenge.answer("Mufasa", "Circle Of Life", "GET", "/dir/index.html");
        assert!(
            credentials.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""),
            "{credentials}"
        );
        assert!(credentials.ends_with("opaque=\"5ccc\""), "{credentials}");
    }
}
