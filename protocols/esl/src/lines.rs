//! Finds the ends of lines, many short ones in a row: a search begun anew for each costs more than the line itself.

use wide::u8x16;

/// Bytes looked at in one step.
const STEP: usize = 32;

/// The positions of the line feeds in `text`, in order.
pub(crate) fn ends(text: &[u8]) -> impl Iterator<Item = usize> {
    let (steps, rest) = text.as_chunks::<STEP>();
    let mut last = [0; STEP];
    if let Some(room) = last.get_mut(..rest.len()) {
        room.copy_from_slice(rest);
    }
    let tail = (!rest.is_empty()).then(|| feeds(&last));
    let masks = steps.iter().map(feeds).chain(tail);
    masks
        .enumerate()
        .flat_map(|(step, mask)| Bits(mask).map(move |at| step * STEP + at))
}

/// The positions of the bits that are set, lowest first.
struct Bits(u32);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let lowest = (self.0 != 0).then(|| self.0.trailing_zeros() as usize);
        self.0 &= self.0.wrapping_sub(1);
        lowest
    }
}

/// One bit for each byte, set for a line feed.
fn feeds(step: &[u8; STEP]) -> u32 {
    let (halves, _) = step.as_chunks::<16>();
    let line_feeds = u8x16::splat(b'\n');
    halves.iter().rev().fold(0, |mask, half| {
        mask << 16 | u8x16::new(*half).simd_eq(line_feeds).to_bitmask()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_feed_is_found() {
        let mut text = Vec::new();
        for n in 0..200_u8 {
            text.extend(std::iter::repeat_n(b'\n' ^ (n % 3 + 1), usize::from(n % 41)));
            text.push(b'\n');
            for end in [text.len(), text.len() - 1, text.len() - usize::from(n % 2)] {
                let part = &text[..end];
                let expected: Vec<_> = memchr::memchr_iter(b'\n', part).collect();
                assert_eq!(ends(part).collect::<Vec<_>>(), expected, "{n}");
            }
        }
        assert_eq!(ends(b"").next(), None);
    }
}
