//! What the kernel's error numbers mean, in words that name the remedy.

use std::fmt::Write as _;
use std::io;

use nix::libc::{
    EACCES, EAFNOSUPPORT, EINVAL, ENFILE, ENOSPC, EOPNOTSUPP, EPERM, EPROTONOSUPPORT, ESOCKTNOSUPPORT,
};

use super::layout::{SetId, TABLE};
use super::link::errno;
use crate::engine::Target;
use crate::fence::FenceError;

/// At most this many targets are named in a message.
const NAMED: usize = 5;

/// A failed call or refusal, by what was to be done.
pub(super) fn failure(what: &str, error: io::Error) -> FenceError {
    match errno(&error) {
        Some(EPERM | EACCES) => FenceError::Permission {
            detail: format!("{what}: {error}"),
            remedy: "Grant CAP_NET_ADMIN (systemd: AmbientCapabilities=CAP_NET_ADMIN), run as root, or use --dry-run"
                .to_owned(),
        },
        Some(EPROTONOSUPPORT | ESOCKTNOSUPPORT | EAFNOSUPPORT | EOPNOTSUPP) => unsupported(what, &error),
        _ => FenceError::Kernel { what: what.to_owned(), error },
    }
}

/// The first question to nf_tables failed: a kernel without it calls the question invalid.
pub(super) fn first_question(error: io::Error) -> FenceError {
    if errno(&error) == Some(EINVAL) {
        return unsupported("ask for the ruleset", &error);
    }
    failure("ask for the ruleset", error)
}

fn unsupported(what: &str, error: &io::Error) -> FenceError {
    FenceError::Unsupported {
        detail: format!("{what}: {error}"),
        remedy: "It needs nf_tables with the inet family (Linux 5.10 or later): load the modules nf_tables, \
                 nft_reject_inet and nfnetlink on the host, or use --dry-run"
            .to_owned(),
    }
}

/// A table of our name that isn't ours.
pub(super) fn foreign() -> FenceError {
    FenceError::Foreign {
        detail: format!("the nftables table inet {TABLE} exists but was not made by this program"),
        remedy: format!(
            "Look at it with 'nft list table inet {TABLE}'; rename it, or remove it with \
             'nft delete table inet {TABLE}'"
        ),
    }
}

/// Targets that could not be held, or not be let go, each for a reason of its own; what else was asked for is in force.
#[derive(Debug, Default)]
pub(super) struct Failures {
    list: Vec<(Target, SetId, io::Error)>,
}

impl Failures {
    pub(super) fn push(&mut self, target: Target, set: SetId, error: io::Error) {
        self.list.push((target, set, error));
    }

    /// One error for all of them; a full set outweighs everything else, because only the admin can do something.
    pub(super) fn into_result(self, capacity: u32) -> Result<(), FenceError> {
        let mut named = String::new();
        for (target, ..) in self.list.iter().take(NAMED) {
            let separator = if named.is_empty() { "" } else { ", " };
            let _ = write!(named, "{separator}{target}");
        }
        if self.list.len() > NAMED {
            let _ = write!(named, " and {} more", self.list.len() - NAMED);
        }
        let full = self
            .list
            .iter()
            .find(|(_, _, error)| matches!(errno(error), Some(ENFILE | ENOSPC)));
        if let Some((_, set, _)) = full {
            return Err(FenceError::Full {
                set: set.name().to_owned(),
                remedy: format!("Raise fence.capacity (now {capacity}); not in force: {named}"),
            });
        }
        match self.list.into_iter().next() {
            Some((_, set, error)) => Err(failure(
                &format!("change {named} in the set {}", set.name()),
                error,
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(errno: i32) -> io::Error {
        io::Error::from_raw_os_error(errno)
    }

    #[test]
    fn each_error_names_who_must_act() {
        assert!(matches!(failure("ask", os(EPERM)), FenceError::Permission { .. }));
        for errno in [EPROTONOSUPPORT, EAFNOSUPPORT, EOPNOTSUPP] {
            assert!(
                matches!(failure("ask", os(errno)), FenceError::Unsupported { .. }),
                "{errno}"
            );
        }
        assert!(matches!(
            first_question(os(EINVAL)),
            FenceError::Unsupported { .. }
        ));
        assert!(matches!(first_question(os(EPERM)), FenceError::Permission { .. }));
        assert!(matches!(failure("ask", os(EINVAL)), FenceError::Kernel { .. }));
    }

    #[test]
    fn many_failures_make_one_message_that_names_a_few() {
        let mut failures = Failures::default();
        for last in 0..9 {
            let target = Target::Address([192, 0, 2, last].into());
            failures.push(
                target,
                SetId::Banned4,
                os(if last == 8 { ENFILE } else { EINVAL }),
            );
        }
        let error = failures.into_result(7).unwrap_err();
        assert!(
            matches!(error, FenceError::Full { .. }),
            "the admin can act on that one"
        );
        let text = error.to_string();
        assert!(
            text.contains("192.0.2.4 and 4 more") && text.contains("now 7"),
            "{text}"
        );
        assert!(Failures::default().into_result(7).is_ok());
    }
}
