//! Tables.

use crate::attr::{ParseError, attributes};
use crate::message::{Kind, Message};
use crate::wire::Writer;

/// The kind of user data that `nft` shows as a comment (`NFTNL_UDATA_TABLE_COMMENT`).
const UDATA_COMMENT: u8 = 0;

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// `NFT_TABLE_F_*`; 0 for one that is neither dormant nor owned by a process.
    pub flags: u32,
    /// What `nft list` shows as its comment; kept by kernels since 5.10. At most 254 bytes.
    pub comment: Option<String>,
}

impl Table {
    /// From a message about it.
    pub fn decode(message: &Message<'_>) -> Result<Self, ParseError> {
        let mut table = Self::default();
        for attr in attributes(message.body(&[Kind::NewTable, Kind::DeleteTable])?) {
            let attr = attr?;
            match attr.kind {
                1 => attr.name()?.clone_into(&mut table.name),
                2 => table.flags = attr.be32()?,
                6 => table.comment = comment(attr.value),
                _ => (),
            }
        }
        Ok(table)
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.name(1, &self.name);
        w.be32(2, self.flags);
        if let Some(comment) = &self.comment {
            let mut text = comment.as_bytes().to_vec();
            text.truncate(254);
            text.push(0);
            let mut udata = vec![UDATA_COMMENT, u8::try_from(text.len()).unwrap_or(u8::MAX)];
            udata.append(&mut text);
            w.attr(6, &udata);
        }
    }
}

/// The comment among user data: a run of type, length, value, each a byte wide but the last.
fn comment(mut udata: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = udata {
        let value = rest.get(..usize::from(*length))?;
        if *kind == UDATA_COMMENT {
            let text = value.strip_suffix(&[0]).unwrap_or(value);
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        udata = rest.get(usize::from(*length)..)?;
    }
    None
}
