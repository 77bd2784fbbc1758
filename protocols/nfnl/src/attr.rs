//! Attributes as they are read: type, length, value, padded to four bytes.

/// The kernel's names are at most this long (`NFT_NAME_MAXLEN`, with the terminating NUL).
pub(crate) const MAX_NAME: usize = 256;

/// Why bytes are not what they should be; the kernel (or we) must be at fault, no admin can do anything about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A length says more or less than there is.
    #[error("a length does not fit its message")]
    Length,
    /// A value has not the size its type demands.
    #[error("the value of attribute {0} has the wrong size")]
    Value(u16),
    /// An attribute that must be there isn't.
    #[error("attribute {0} is missing")]
    Missing(u16),
    /// The message is of another kind than the caller expects.
    #[error("a message of kind {0:#06x} where another was expected")]
    Kind(u16),
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attr<'a> {
    /// Its type, without the flags for nesting and byte order.
    pub(crate) kind: u16,
    /// Its value, without padding.
    pub(crate) value: &'a [u8],
}

/// Takes a run of attributes apart; ends after the first malformed one.
pub(crate) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { rest: bytes }
}

/// See [`attributes`].
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attr<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let (Some(length), Some(kind)) = (ne16(rest, 0), ne16(rest, 2)) else {
            return Some(Err(ParseError::Length));
        };
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else {
            return Some(Err(ParseError::Length));
        };
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(Attr {
            kind: kind & 0x3fff,
            value,
        }))
    }
}

impl<'a> Attr<'a> {
    /// The attributes nested in it.
    pub(crate) fn nested(&self) -> Attributes<'a> {
        attributes(self.value)
    }

    /// Its value as a big-endian number.
    pub(crate) fn be32(&self) -> Result<u32, ParseError> {
        self.value
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| ParseError::Value(self.kind))
    }

    /// Its value as a big-endian number.
    pub(crate) fn be64(&self) -> Result<u64, ParseError> {
        self.value
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| ParseError::Value(self.kind))
    }

    /// Its value as a name, without the terminating NUL.
    pub(crate) fn name(&self) -> Result<&'a str, ParseError> {
        let text = self.value.split(|byte| *byte == 0).next().unwrap_or_default();
        if text.len() >= MAX_NAME {
            return Err(ParseError::Value(self.kind));
        }
        std::str::from_utf8(text).map_err(|_| ParseError::Value(self.kind))
    }
}

/// The first attribute of type `kind` among `bytes`.
pub(crate) fn find(bytes: &[u8], kind: u16) -> Result<Option<Attr<'_>>, ParseError> {
    for attr in attributes(bytes) {
        let attr = attr?;
        if attr.kind == kind {
            return Ok(Some(attr));
        }
    }
    Ok(None)
}

/// A native-endian number at `offset`.
pub(crate) fn ne16(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes
        .get(offset..offset.checked_add(2)?)?
        .try_into()
        .ok()
        .map(u16::from_ne_bytes)
}

/// A native-endian number at `offset`.
pub(crate) fn ne32(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..offset.checked_add(4)?)?
        .try_into()
        .ok()
        .map(u32::from_ne_bytes)
}
