//! Zones as dates name them: offsets, and the abbreviations whose offset is not disputed.

/// Minutes east of Greenwich; `None` when the zone is not known.
pub fn minutes(zone: &str) -> Option<i32> {
    let digits = zone.find(['+', '-']).unwrap_or(zone.len());
    let (name, offset) = zone.split_at(digits);
    let base = if name.is_empty() { 0 } else { named(name)? };
    let Some(sign) = offset.chars().next() else {
        return Some(base);
    };
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let rest: i32 = digits.get(2..4).map_or(Some(0), |minutes| minutes.parse().ok())?;
    let offset = hours * 60 + rest;
    Some(base + if sign == '-' { -offset } else { offset })
}

fn named(name: &str) -> Option<i32> {
    let hours = match name {
        "HST" => -10,
        "AKST" => -9,
        "AKDT" | "PST" | "PT" => -8,
        "PDT" | "MST" => -7,
        "MDT" | "CST" => -6,
        "CDT" | "EST" | "ET" => -5,
        "EDT" | "AST" => -4,
        "ADT" | "ART" | "BRT" => -3,
        "Z" | "UTC" | "GMT" | "WET" | "WT" => 0,
        "CET" | "WAT" | "WEST" => 1,
        "CEST" | "EET" | "CAT" | "SAST" => 2,
        "EEST" | "EAT" | "MSK" => 3,
        "GST" | "SAMT" => 4,
        "YEKT" => 5,
        "OMST" => 6,
        "ICT" | "KRAT" => 7,
        "AWST" | "HKT" | "SGT" => 8,
        "JST" | "KST" | "YAKT" => 9,
        "AEST" => 10,
        "AEDT" => 11,
        "NZST" => 12,
        "NZDT" => 13,
        _ => return None,
    };
    Some(hours * 60)
}

#[cfg(test)]
mod tests {
    use super::minutes;

    #[test]
    fn zones_are_minutes() {
        for (zone, expected) in [
            ("Z", 0),
            ("+0200", 120),
            ("-03:30", -210),
            ("CET+0100", 120),
            ("+05", 300),
        ] {
            assert_eq!(minutes(zone), Some(expected), "{zone}");
        }
        assert_eq!(minutes("error"), None);
    }
}
