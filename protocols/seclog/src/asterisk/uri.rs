//! The account in a From or To header, as Asterisk takes it from there.

use std::borrow::Cow;

/// Bytes of a name that PJSIP keeps.
const PJSIP_NAME: usize = 36;

/// The user of the last URI in angle brackets, or of a bare one, `%XX` decoded as Asterisk does; of a URI without a user its
/// host, as chan_sip takes it.
pub(super) fn user(header: &[u8]) -> Cow<'_, [u8]> {
    let uri = match memchr::memrchr(b'<', header) {
        Some(at) => {
            let rest = header.get(at + 1..).unwrap_or_default();
            memchr::memchr(b'>', rest)
                .and_then(|end| rest.get(..end))
                .unwrap_or(rest)
        }
        None => header.split(|byte| *byte == b';').next().unwrap_or(header),
    };
    let rest = memchr::memchr(b':', uri)
        .and_then(|at| uri.get(at + 1..))
        .unwrap_or_default();
    let name = match memchr::memchr(b'@', rest) {
        Some(at) => rest.get(..at).unwrap_or_default(),
        None => rest,
    };
    let name = name.split(|byte| *byte == b':').next().unwrap_or(name);
    if memchr::memchr(b'%', name).is_none() {
        return Cow::Borrowed(name);
    }
    Cow::Owned(decoded(name))
}

/// Like [`user`], cut as PJSIP cuts it; empty for a SIP URI without a user.
pub(super) fn pjsip_user(header: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'@', header).is_none() && memchr::memmem::find(header, b"<tel:").is_none() {
        return Cow::Borrowed(b"");
    }
    match user(header) {
        Cow::Borrowed(name) => Cow::Borrowed(name.get(..PJSIP_NAME).unwrap_or(name)),
        Cow::Owned(mut name) => {
            name.truncate(PJSIP_NAME);
            Cow::Owned(name)
        }
    }
}

fn decoded(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, behind)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| Some((digit(*behind.first()?)?, digit(*behind.get(1)?)?)))
            .flatten();
        if let Some((high, low)) = escaped {
            if (high, low) == (0, 0) {
                break; // where a C string ends
            }
            out.push(high << 4 | low);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            out.push(byte);
            rest = behind;
        }
    }
    out
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_a_header() {
        for (header, wanted) in [
            (&b"<sip:alice@192.0.2.1>"[..], &b"alice"[..]),
            (b"\"x <sip:bob@h>\" <sip:alice@192.0.2.1>;tag=1", b"alice"),
            (b"sip:alice@192.0.2.1;tag=1", b"alice"),
            (b"<sip:x%0d%0aFoo:bar@h>", b"x\r\nFoo"),
            (b"<sip:x%2@h>", b"x%2"),
            (b"<sip:x%00y@h>", b"x"),
            (b"<tel:+441234>", b"+441234"),
            (b"<sip:192.0.2.1>", b"192.0.2.1"),
            (b"", b""),
        ] {
            assert_eq!(&*user(header), wanted, "{}", String::from_utf8_lossy(header));
        }
        assert_eq!(
            &*pjsip_user(&[b"<sip:", &[b'a'; 60][..], b"@h>"].concat()),
            [b'a'; 36].as_slice()
        );
    }
}
