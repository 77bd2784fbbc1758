//! Reads the configuration, and says exactly what is wrong with it.
//!
//! Layers, later ones win: the main file (`/etc/ringfence/ringfence.toml`), `conf.d/*.toml` beside it in the order of their
//! names, variables `RINGFENCE__TABLE__KEY` of the environment. Every mistake of every layer is reported at once, with file,
//! line, column, what is allowed and what was probably meant. `docs/configuration.md` has every key.

mod asterisk;
mod daemon;
mod diagnosis;
mod duration;
mod findings;
mod freeswitch;
mod ignoreip;
mod jails;
mod layers;
mod logs;
mod mask;
mod pbx;
mod place;
mod secret;
mod section;
mod tenants;
mod tls;
mod tree;

use std::path::{Path, PathBuf};

use crate::engine::{Limits, Policy};
use crate::fence::FenceSettings;
use crate::source::Settings;
use crate::source::log::WatchedLog;
use crate::store::StoreSettings;

pub use daemon::{ControlSettings, LogSettings, LogTarget};
pub use diagnosis::{Diagnosis, Finding, Severity};
pub use duration::{DurationError, parse_span};

use findings::{Findings, Issue, Weight};
use layers::Layers;
use section::Section;

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/ringfence/ringfence.toml";

/// Something in a configuration that can be used, but is probably not what was meant.
pub type Warning = Finding;

/// Everything that the admin can say, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The PBXes to watch.
    pub sources: Vec<Settings>,
    /// The logs to read, theirs and others.
    pub logs: Vec<WatchedLog>,
    /// Jails, tenants, limits, and the addresses and prefixes of `ignoreip`. Its `own` addresses are for the daemon to fill in.
    pub policy: Policy,
    /// The DNS names of `ignoreip`, in lower case: for the daemon to resolve, again and again.
    pub ignore_names: Vec<String>,
    /// How bans are enforced.
    pub fence: FenceSettings,
    /// Where bans are remembered.
    pub store: StoreSettings,
    /// How commands reach the daemon.
    pub control: ControlSettings,
    /// Where the daemon reports.
    pub log: LogSettings,
}

/// Reads the main file at `path` and the layers above it.
///
/// `env` is the environment: of it `RINGFENCE__…`, `CREDENTIALS_DIRECTORY` (secrets handed over by systemd) and
/// `JOURNAL_STREAM` (whether systemd started us) count; see [`environment`].
pub fn load(
    path: &Path,
    env: impl Iterator<Item = (String, String)>,
) -> Result<(Config, Vec<Warning>), Diagnosis> {
    let env: Vec<(String, String)> = env.collect();
    let Layers {
        sources,
        tree,
        issues,
    } = Layers::read(path, &env);
    let unreadable = issues.iter().any(|issue| issue.place.is_none());
    let findings = Findings::new(&sources);
    let config = read(&findings, &tree, &env, unreadable);
    let (found, hidden) = findings.into_parts();
    let mut all = issues;
    all.extend(
        found
            .into_iter()
            .filter(|issue| !unreadable || issue.weight != Weight::Missing),
    );
    all.sort_by_key(|issue| (issue.place.is_none(), issue.place));
    let failed = all.iter().any(|issue| issue.weight != Weight::Warning);
    let findings = diagnosis::findings(&sources, &all, &hidden);
    if failed {
        Err(Diagnosis::new(findings))
    } else {
        Ok((config, findings))
    }
}

/// Where the daemon's socket is, even when something else in the configuration is wrong or can't be read: an admin who may
/// talk to the daemon need not be able to read its secrets.
pub fn control_socket(path: &Path, env: impl Iterator<Item = (String, String)>) -> PathBuf {
    let env: Vec<(String, String)> = env.collect();
    let Layers { sources, tree, .. } = Layers::read(path, &env);
    let findings = Findings::new(&sources);
    daemon::control(&mut Section::new(&findings, &tree, "")).socket
}

/// What [`load`] wants of this process's environment; values that are not UTF-8 are shown with replacement characters.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let wanted =
            name.starts_with("RINGFENCE__") || name == "CREDENTIALS_DIRECTORY" || name == "JOURNAL_STREAM";
        wanted.then(|| (name, value.to_string_lossy().into_owned()))
    })
}

fn read(findings: &Findings<'_>, tree: &tree::Table, env: &[(String, String)], unreadable: bool) -> Config {
    let variable = |name: &str| {
        env.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let mut top = Section::new(findings, tree, "");
    let ignored = ignoreip::read(&mut top);
    let credentials = variable("CREDENTIALS_DIRECTORY").map(Path::new);
    let mut names = Vec::new();
    let asterisk = asterisk::read(&mut top, credentials, &mut names);
    let freeswitch = freeswitch::read(&mut top, credentials, &mut names);
    let others = logs::read(&mut top, &mut names);
    let (mut sources, mut logs) = (Vec::new(), Vec::new());
    for (settings, log) in asterisk {
        sources.push(Settings::Asterisk(settings));
        logs.extend(log);
    }
    for (settings, log) in freeswitch {
        sources.push(Settings::Freeswitch(settings));
        logs.extend(log);
    }
    logs.extend(others);
    let jails = jails::read(&mut top);
    let tenants = tenants::read(&mut top, &jails);
    let limits: Limits = daemon::limits(&mut top);
    let config = Config {
        sources,
        logs,
        policy: Policy {
            jails,
            ignore: ignored.nets,
            own: Vec::new(),
            tenants,
            limits,
        },
        ignore_names: ignored.names,
        fence: daemon::fence(&mut top),
        store: daemon::store(&mut top, &limits),
        control: daemon::control(&mut top),
        log: daemon::log(&mut top, variable("JOURNAL_STREAM").is_some()),
    };
    let watches = ["asterisk", "freeswitch", "logfile"]
        .iter()
        .any(|key| tree.find(key).is_some());
    if !watches && !unreadable && !findings.sources.any_broken() {
        findings.push(
            Issue::nowhere(
                Weight::Warning,
                "no [[asterisk]], no [[freeswitch]] and no [[logfile]]: nothing is watched",
            )
            .help("add `[[asterisk]]` with name, address, username and secret_file")
            .help("or `[[freeswitch]]` with name, address and password_file")
            .help("or `[[logfile]]` with name, files and format"),
        );
    }
    top.finish();
    config
}
