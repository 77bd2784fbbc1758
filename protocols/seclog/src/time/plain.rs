//! The stamps that nearly every record bears, read byte by byte: the grammar's words for them cost ten times as much.

use super::civil::Civil;
use super::stamp::{Stamp, month};

/// What the grammar makes of `2026-11-21 19:24:39.140`, also with a `T` or a zone, and of `Nov  9 18:47:21`; `None` leaves
/// the judgement to the grammar.
pub(crate) fn plain(input: &[u8]) -> Option<(&[u8], Stamp)> {
    if input.first()?.is_ascii_digit() {
        dated(input)
    } else {
        yearless(input)
    }
}

#[inline]
fn dated(input: &[u8]) -> Option<(&[u8], Stamp)> {
    let (date, rest) = input.split_first_chunk::<8>()?;
    let [century, _, year, _, _, month, _, _] = pairs(*date, *b"0000-00-")?;
    let (&[tens, ones, b' ' | b'T'], rest) = rest.split_first_chunk()? else {
        return None;
    };
    let (rest, (hour, minute, second, micros)) = clock_face(rest)?;
    let (rest, offset) = zone(rest)?;
    let civil = Civil {
        year: u16::from(century) * 100 + u16::from(year),
        month,
        day: two(tens, ones)?,
        hour,
        minute,
        second,
        micros,
    };
    exists(&civil).then_some((rest, Stamp::Civil { civil, offset }))
}

#[inline]
fn yearless(input: &[u8]) -> Option<(&[u8], Stamp)> {
    let (_, month) = month(input).ok()?;
    let (date, rest) = input.split_first_chunk::<7>()?;
    let &[_, _, _, b' ', tens, ones, b' '] = date else {
        return None;
    };
    let tens = if tens == b' ' { b'0' } else { tens };
    let (rest, (hour, minute, second, micros)) = clock_face(rest)?;
    let civil = Civil {
        year: 0,
        month,
        day: two(tens, ones)?,
        hour,
        minute,
        second,
        micros,
    };
    exists(&civil).then_some((rest, Stamp::Yearless(civil)))
}

fn exists(civil: &Civil) -> bool {
    let date = (1..=12).contains(&civil.month) && (1..=31).contains(&civil.day);
    date && civil.hour <= 23 && civil.minute <= 59 && civil.second <= 60
}

/// Hour, minute, second and microseconds.
type Face = (u8, u8, u8, u32);

/// `19:24:39`, perhaps with up to nine digits of a fraction.
#[inline]
fn clock_face(input: &[u8]) -> Option<(&[u8], Face)> {
    let (face, rest) = input.split_first_chunk::<8>()?;
    let [hour, _, _, minute, _, _, second, _] = pairs(*face, *b"00:00:00")?;
    let (rest, micros) = match rest.first() {
        Some(b'.' | b',') => fraction(rest.get(1..)?)?,
        _ => (rest, 0),
    };
    Some((rest, (hour, minute, second, micros)))
}

/// What each digit makes with the one behind it, of eight bytes that have a digit wherever `shape` has a 0 and are like it
/// elsewhere. All eight are worked on at once.
#[inline]
fn pairs(bytes: [u8; 8], shape: [u8; 8]) -> Option<[u8; 8]> {
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    const TO_HIGH: u64 = u64::from_le_bytes([0x80 - 10; 8]);
    let digits = u64::from_le_bytes(bytes) ^ u64::from_le_bytes(shape);
    // a byte above 9 has its highest bit, or gets it
    let plain = (digits | ((digits & !HIGH) + TO_HIGH)) & HIGH == 0;
    // like the shape where that has no 0
    let fixed = u64::from_le_bytes(shape.map(|byte| if byte == b'0' { 0 } else { 0xff }));
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    (plain && digits & fixed == 0).then_some(pairs.to_le_bytes())
}

#[inline]
fn fraction(input: &[u8]) -> Option<(&[u8], u32)> {
    let (mut rest, mut micros, mut worth) = (input, 0, 100_000);
    for _ in 0..9 {
        let Some((digit, behind)) = rest.split_first().filter(|(digit, _)| digit.is_ascii_digit()) else {
            break;
        };
        micros += u32::from(digit - b'0') * worth;
        worth /= 10;
        rest = behind;
    }
    (rest.len() < input.len()).then_some((rest, micros))
}

/// Seconds ahead of UTC; nothing if no zone is named.
#[inline]
fn zone(input: &[u8]) -> Option<(&[u8], Option<i32>)> {
    let (sign, rest) = match input.split_first() {
        Some((b'Z', rest)) => return Some((rest, Some(0))),
        Some((sign @ (b'+' | b'-'), rest)) => (*sign, rest),
        _ => return Some((input, None)),
    };
    let (&[h1, h2], rest) = rest.split_first_chunk()?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    let (&[m1, m2], rest) = rest.split_first_chunk()?;
    let ahead = i32::from(two(h1, h2)?) * 3600 + i32::from(two(m1, m2)?) * 60;
    let ahead = if sign == b'-' { -ahead } else { ahead };
    (ahead.abs() < 86_400).then_some((rest, Some(ahead)))
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::stamp::grammar;
    use super::*;

    /// Stamps of every form, and what is nearly one.
    fn stamp() -> impl Strategy<Value = String> {
        let date = prop_oneof![
            (0..10_000, 0..14, 0..33, "[ TtZ]").prop_map(|(y, m, d, t)| format!("{y:04}-{m:02}-{d:02}{t}")),
            (
                "[JFMANSODj][aepuco][nbrylgptvc]",
                "( |  )",
                0..33,
                "( |  | 2026 )"
            )
                .prop_map(|(m, gap, d, end)| format!("{m}{gap}{d}{end}")),
            ("(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)", 0..33)
                .prop_map(|(m, d)| format!("{m} {d:>2} ")),
            "[0-9]{8,11}",
        ];
        let face = prop_oneof![
            4 => (0..25, 0..61, 0..62).prop_map(|(h, m, s)| format!("{h:02}:{m:02}:{s:02}")),
            1 => "[0-9:]{0,9}",
        ];
        let end = "([.,][0-9]{0,11})?(Z|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{0,3})?[]\\[ x0-9]{0,3}";
        (date, face, end).prop_map(|(date, face, end)| date + &face + &end)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn it_says_what_the_grammar_says(text in stamp(), at in 0_usize..40, byte in any::<u8>(), changed in any::<bool>()) {
            let mut bytes = text.into_bytes();
            if changed && let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            if let Some(read) = plain(&bytes) {
                prop_assert_eq!(grammar(&bytes).ok(), Some(read));
            }
        }
    }

    #[test]
    fn what_logs_bear_needs_no_grammar() {
        for text in [
            "2026-11-21 19:24:39",
            "2026-11-21 19:24:39.140",
            "2026-11-21T19:24:39.140+0000",
            "2026-11-21T19:24:39,140-03:30",
            "2026-11-21T19:24:39.140123456Z",
            "Nov 21 19:24:39",
            "Nov  9 18:47:21.1",
        ] {
            let (rest, _) = plain(text.as_bytes()).expect(text);
            assert!(rest.is_empty(), "{text}");
        }
    }
}
