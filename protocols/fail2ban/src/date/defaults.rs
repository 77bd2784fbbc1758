//! The dates that are known without being told, in fail2ban's order.

use super::template::Template;

/// How the well-known logs write their dates: ISO 8601, syslog and asctime, Apache, named, `MySQL`, Tomcat, TAI64N and others.
const PATTERNS: [&str; 17] = [
    r"%ExY(?P<_sep>[-/.])%m(?P=_sep)%d(?:T|  ?)%H:%M:%S(?:[.,]%f)?(?:\s*%z)?",
    r"(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    r"(?:%a )?%b %d %ExY %k:%M:%S(?:\.%f)?",
    r"%d(?P<_sep>[-/])%m(?P=_sep)(?:%ExY|%Exy) %k:%M:%S",
    r"%d(?P<_sep>[-/])%b(?P=_sep)%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?",
    r"%m/%d/%ExY:%H:%M:%S",
    r"%m-%d-%ExY %k:%M:%S(?:\.%f)?",
    "EPOCH",
    "{^LN-BEG}%H:%M:%S",
    "^<%m/%d/%Exy@%H:%M:%S>",
    "%Exy%Exm%Exd  ?%H:%M:%S",
    "%b %d, %ExY %I:%M:%S %p",
    "^%b-%d-%Exy %k:%M:%S",
    r"%ExY%Exm%Exd(?:T|  ?)%ExH%ExM%ExS(?:[.,]%f)?(?:\s*%z)?",
    r"(?:%Z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    r"(?:%z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?",
    "TAI64N",
];
/// A date at the beginning of a line is preferred to one that stands further behind.
const PREFERENCE: f64 = 100.0;

/// The plain templates.
pub fn plain(this_year: i16) -> Result<Vec<Template>, String> {
    PATTERNS
        .iter()
        .map(|pattern| Template::known(pattern, this_year))
        .collect()
}

/// The templates bound to the beginning of a line, then the plain ones.
pub fn all(this_year: i16) -> Result<Vec<Template>, String> {
    let plain = plain(this_year)?;
    let mut all = Vec::new();
    for template in &plain {
        if let Some(bound) = template.at_line_begin(this_year) {
            let mut bound = bound?;
            if bound.name != template.name {
                bound.weight = PREFERENCE;
                all.push(bound);
            }
        }
    }
    all.extend(plain);
    Ok(all)
}
