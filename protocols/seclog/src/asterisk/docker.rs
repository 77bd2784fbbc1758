//! Lines of a container's json-file log: `{"log":"[Nov 21 …] NOTICE[1] …\n","stream":"stdout","time":"2026-11-21T19:24:39.1Z"}`.

use memchr::memmem;

use crate::time::{Stamp, stamp};

/// How such a line begins.
const START: &[u8] = b"{\"log\":\"";

/// What stands beside a line that a program printed.
pub(super) struct Wrapping {
    /// When the container's runtime read it, if it says so.
    pub(super) stamp: Option<Stamp>,
}

/// Writes what the program printed to `out`. `None` when the line is none of this form; `out` holds nothing of use then.
///
/// The line must end as such lines do: in a file that no container's runtime writes, a peer's words may begin so, and
/// what Asterisk writes behind them must not be dropped.
pub(super) fn unwrap(line: &[u8], out: &mut Vec<u8>) -> Option<Wrapping> {
    let line = line.trim_ascii_end();
    let mut rest = line.strip_prefix(START)?;
    if !line.ends_with(b"}") {
        return None;
    }
    loop {
        let at = memchr::memchr2(b'"', b'\\', rest)?;
        let (plain, behind) = rest.split_at(at);
        out.extend_from_slice(plain);
        if behind.first() == Some(&b'"') {
            rest = behind;
            break;
        }
        rest = unescape(behind.get(1..)?, out)?;
    }
    let mark = b"\"time\":\"";
    let time = memmem::find(rest, mark).and_then(|at| stamp(rest.get(at + mark.len()..)?).ok());
    Some(Wrapping {
        stamp: time.map(|(_, stamp)| stamp),
    })
}

/// What stands behind a backslash.
fn unescape<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (&byte, behind) = rest.split_first()?;
    let plain = match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'f' => 0x0c,
        b'"' | b'\\' | b'/' => byte,
        b'u' => {
            let digits = std::str::from_utf8(behind.get(..4)?).ok()?;
            let code = u32::from_str_radix(digits, 16).ok()?;
            let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            return behind.get(4..);
        }
        _ => return None,
    };
    out.push(plain);
    Some(behind)
}
