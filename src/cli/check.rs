//! `ringfence check`: whether the configuration is right, and with `--live` whether everything it names really works.

use std::io::Write;

use serde::Serialize;

use super::{CliError, Exit, Global, print_json, written};
use crate::admin::{AdminAnswer, AdminRequest, Client};
use crate::config::{self, Config};
use crate::engine::Tenant;
use crate::fence;

/// Arguments of `ringfence check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Also log into each PBX, see whether its events arrive, and prove that the kernel would drop a packet
    #[arg(long)]
    live: bool,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    detail: String,
}

impl CheckArgs {
    /// Checks and prints; the exit code is 78 for a wrong configuration, 77 when nothing could be enforced, 69 when a PBX can't
    /// be watched.
    pub fn run(&self, global: &Global, out: &mut dyn Write) -> Result<Exit, CliError> {
        let (config, warnings) = match config::load(&global.config, config::environment()) {
            Ok(loaded) => loaded,
            Err(diagnosis) if global.json => {
                print_json(
                    out,
                    &serde_json::json!({ "ok": false, "errors": diagnosis.findings() }),
                )?;
                return Ok(Exit::Config);
            }
            Err(diagnosis) => {
                let color = std::io::IsTerminal::is_terminal(&std::io::stderr());
                return Err(CliError::new(
                    Exit::Config,
                    format!("the configuration is wrong\n{}", diagnosis.render(color)),
                ));
            }
        };
        let mut findings = Vec::new();
        let mut exit = Exit::Ok;
        if self.live {
            let fence = check_fence(global, &config);
            if !fence.ok {
                exit = Exit::NoPerm;
            }
            findings.push(fence);
            for source in check_sources(&config)? {
                if !source.ok && exit == Exit::Ok {
                    exit = Exit::Unavailable;
                }
                findings.push(source);
            }
        }
        if global.json {
            let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
            let ok = exit == Exit::Ok;
            let mut record = serde_json::json!({ "ok": ok, "warnings": warnings, "live": findings });
            let tenants: Vec<_> = config.policy.tenants.iter().map(|tenant| &tenant.name).collect();
            if let Some(record) = record.as_object_mut().filter(|_| !tenants.is_empty()) {
                record.insert("tenants".into(), serde_json::json!(tenants));
            }
            print_json(out, &record)?;
            return Ok(exit);
        }
        for warning in &warnings {
            written(writeln!(out, "{warning}"))?;
        }
        let kinds = |kind| config.sources.iter().filter(|pbx| pbx.kind() == kind).count();
        let tenants = tenants(&config.policy.tenants);
        let logs = match config.logs.len() {
            0 => String::new(),
            1 => ", 1 log".to_owned(),
            many => format!(", {many} logs"),
        };
        written(writeln!(
            out,
            "ok    {}: {} Asterisk, {} FreeSWITCH{logs}, {} jails{tenants}",
            global.config.display(),
            kinds("asterisk"),
            kinds("freeswitch"),
            config.policy.jails.len()
        ))?;
        for finding in &findings {
            let word = if finding.ok { "ok  " } else { "FAIL" };
            written(writeln!(out, "{word}  {}: {}", finding.what, finding.detail))?;
        }
        Ok(exit)
    }
}

/// How many tenants there are, and the first of them by name: their order decides whose attempts are whose.
fn tenants(tenants: &[Tenant]) -> String {
    const NAMED: usize = 8;
    let mut names: Vec<&str> = tenants
        .iter()
        .take(NAMED)
        .map(|tenant| tenant.name.as_str())
        .collect();
    if tenants.len() > NAMED {
        names.push("...");
    }
    match tenants.len() {
        0 => String::new(),
        1 => format!(", 1 tenant: {}", names.join(" ")),
        many => format!(", {many} tenants: {}", names.join(" ")),
    }
}

/// Asks the running daemon about its fence; without one installs and proves it, and removes it again if it wasn't there.
fn check_fence(global: &Global, config: &Config) -> Finding {
    let what = "fence".to_string();
    let socket = global.socket.as_ref().unwrap_or(&config.control.socket);
    if let Ok(mut client) = Client::connect(socket)
        && let Ok(AdminAnswer::Status(status)) = client.ask(&AdminRequest::Status)
    {
        let fence = status.fence;
        return Finding {
            what,
            ok: fence.problem.is_none(),
            detail: fence.problem.unwrap_or(fence.proven),
        };
    }
    let mut fence = match fence::open(&config.fence) {
        Ok(fence) => fence,
        Err(error) => {
            return Finding {
                what,
                ok: false,
                detail: error.to_string(),
            };
        }
    };
    let was_there = fence.list().is_ok_and(|held| !held.is_empty()) || fence.intact().unwrap_or(false);
    let proven = fence.install();
    let mut detail = match &proven {
        Ok(proven) => proven.to_string(),
        Err(error) => error.to_string(),
    };
    for gap in proven.iter().flat_map(|proven| &proven.gaps) {
        detail.push_str("; not proven: ");
        detail.push_str(gap);
    }
    if !was_there
        && proven.is_ok()
        && let Err(error) = fence.purge()
    {
        return Finding {
            what,
            ok: false,
            detail: format!("{detail}; but it can't be removed again: {error}"),
        };
    }
    Finding {
        what,
        ok: proven.is_ok(),
        detail,
    }
}

/// Logs into every PBX at once.
fn check_sources(config: &Config) -> Result<Vec<Finding>, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::OsErr, format!("the runtime: {error}")))?;
    runtime.block_on(async {
        let checks: Vec<_> = config
            .sources
            .iter()
            .map(|settings| {
                let settings = settings.clone();
                (
                    settings.name().to_owned(),
                    tokio::spawn(async move { settings.check().await }),
                )
            })
            .collect();
        let mut findings = Vec::new();
        for (name, check) in checks {
            let checked = check
                .await
                .map_err(|error| CliError::new(Exit::Software, error.to_string()))?;
            let ok = checked.is_ok();
            findings.push(Finding {
                what: name,
                ok,
                detail: checked.unwrap_or_else(|problem| problem),
            });
        }
        for log in &config.logs {
            let checked = log.check();
            findings.push(Finding {
                what: log.name.clone(),
                ok: checked.is_ok(),
                detail: checked.unwrap_or_else(|problem| problem),
            });
        }
        Ok(findings)
    })
}
