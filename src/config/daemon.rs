//! Reads `[limits]`, `[fence]`, `[store]`, `[control]` and `[log]`.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::unistd::Group;
use ringfence_event::Span;
use tracing::Level;

use super::findings::Issue;
use super::section::Section;
use crate::engine::Limits;
use crate::fence::{Backend, Block, FenceSettings};
use crate::store::StoreSettings;

/// How commands reach the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSettings {
    /// The Unix socket.
    pub socket: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// The group that may use it besides root; `None` leaves it to the daemon's own group.
    pub group: Option<String>,
}

/// Where the daemon reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Where to.
    pub target: LogTarget,
    /// How much.
    pub level: Level,
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// The systemd journal.
    Journal,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
}

/// The largest path of a Unix socket, without the NUL at its end (`sun_path` in unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

/// Reads `[limits]`.
pub(super) fn limits(top: &mut Section<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut section) = top.table("limits") else {
        return limits;
    };
    if let Some(most) = section.number("max_tracked", 1000..=100_000_000) {
        limits.max_tracked = usize::try_from(most.value).unwrap_or(usize::MAX);
    }
    if let Some(memory) = section.span("memory", Span::from_secs(60), false) {
        limits.memory = memory.value;
    }
    section.finish();
    limits
}

/// Reads `[fence]`.
pub(super) fn fence(top: &mut Section<'_>) -> FenceSettings {
    let mut fence = FenceSettings::default();
    let Some(mut section) = top.table("fence") else {
        return fence;
    };
    if let Some(backend) = section.choice(
        "backend",
        &[("nftables", Backend::Nftables), ("dry-run", Backend::DryRun)],
    ) {
        fence.backend = backend.value;
    }
    if let Some(block) = section.choice("block", &[("drop", Block::Drop), ("reject", Block::Reject)]) {
        fence.block = block.value;
    }
    if let Some(verify) = section.span("verify", Span::from_secs(1), false) {
        fence.verify = verify.value;
    }
    if let Some(capacity) = section.number("capacity", 1000..=u64::from(u32::MAX)) {
        fence.capacity = u32::try_from(capacity.value).unwrap_or(u32::MAX);
    }
    section.finish();
    fence
}

/// Reads `[store]`; bans are remembered there as long as `limits` says.
pub(super) fn store(top: &mut Section<'_>, limits: &Limits) -> StoreSettings {
    let mut store = StoreSettings {
        memory: limits.memory,
        memories: u64::try_from(limits.max_tracked).unwrap_or(u64::MAX),
        ..StoreSettings::default()
    };
    let Some(mut section) = top.table("store") else {
        return store;
    };
    if let Some(path) = section.path("path") {
        store.path = path.value;
    }
    if let Some(history) = section.span("history", Span::from_secs(3600), true) {
        store.history = history.value;
    }
    if let Some(rows) = section.number("history_rows", 1000..=100_000_000) {
        store.history_rows = rows.value;
    }
    section.finish();
    store
}

/// Reads `[control]`.
pub(super) fn control(top: &mut Section<'_>) -> ControlSettings {
    let mut control = ControlSettings {
        socket: "/run/ringfence/ringfence.sock".into(),
        mode: 0o660,
        group: None,
    };
    let Some(mut section) = top.table("control") else {
        return control;
    };
    if let Some(socket) = section.path("socket") {
        if socket.value.as_os_str().as_bytes().len() > LONGEST_SOCKET_PATH {
            let message = format!("`socket` is longer than {LONGEST_SOCKET_PATH} bytes");
            section.findings.push(
                Issue::error(message, socket.place)
                    .help("the kernel takes no longer path: choose a shorter one"),
            );
        }
        control.socket = socket.value;
    }
    if let Some(group) = section.text("group") {
        if matches!(Group::from_name(&group.value), Ok(Some(_))) {
            control.group = Some(group.value);
        } else {
            let issue = Issue::error(
                format!("`group`: there is no group `{}` on this machine", group.value),
                group.place,
            );
            section
                .findings
                .push(issue.help("create it (`groupadd --system NAME`) or name another"));
        }
    }
    section.finish();
    control
}

/// Reads `[log]`; without it reports go to the journal under systemd, otherwise to standard error.
pub(super) fn log(top: &mut Section<'_>, under_systemd: bool) -> LogSettings {
    let target = if under_systemd {
        LogTarget::Journal
    } else {
        LogTarget::Stderr
    };
    let mut log = LogSettings {
        target,
        level: Level::INFO,
    };
    let Some(mut section) = top.table("log") else {
        return log;
    };
    let target = section.choice(
        "target",
        &[
            ("journal", Target::Journal),
            ("stderr", Target::Stderr),
            ("file", Target::File),
        ],
    );
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    if let Some(level) = section.choice("level", &levels) {
        log.level = level.value;
    }
    let file = section.path("file");
    match (target.as_ref().map(|target| target.value), file) {
        (Some(Target::File), Some(file)) => log.target = LogTarget::File(file.value),
        (Some(Target::File), None) => section.missing(
            "`file`",
            "name the file to write to: `file = \"/var/log/ringfence/ringfence.log\"`",
        ),
        (_, Some(file)) => {
            let issue = Issue::error("`file` has no effect without `target = \"file\"`", file.place);
            section
                .findings
                .push(issue.help("add `target = \"file\"`, or remove it"));
        }
        (Some(Target::Journal), None) => log.target = LogTarget::Journal,
        (Some(Target::Stderr), None) => log.target = LogTarget::Stderr,
        (None, None) => {}
    }
    section.finish();
    log
}

#[derive(Clone, Copy)]
enum Target {
    Journal,
    Stderr,
    File,
}
