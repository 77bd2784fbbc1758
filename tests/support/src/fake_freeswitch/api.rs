//! What API commands answer.

use std::time::Duration;

use super::frames::LogRecord;
use super::node::HOST;
use super::shared::{Shared, lock};
use super::subscription::log_level;

impl Shared {
    /// The body of the answer to an API command; a test's own answers come first.
    pub(super) fn run(&self, line: &str) -> String {
        if let Some(body) = lock(&self.answers).get(line) {
            return body.clone();
        }
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "version" => "FreeSWITCH Version 1.11.3-dev~64bit ( 64bit)\n".to_owned(),
            "hostname" | "switchname" => HOST.to_owned(),
            "uptime" => format!("{}\n", self.up().as_secs()),
            "status" => self.status(),
            "log" => self.write_log(argument),
            "global_getvar" => match argument {
                "local_ip_v4" => "192.0.2.2".to_owned(),
                "hostname" => HOST.to_owned(),
                "core_uuid" => self.node.core_uuid(),
                _ => "-ERR no reply\n".to_owned(),
            },
            "show" if argument == "registrations as json" => "{\"row_count\": 0}\n".to_owned(),
            "sofia" if argument.starts_with("status profile") => "Invalid Profile!\n".to_owned(),
            _ => format!("-ERR {word} Command not found!\n"),
        }
    }

    /// `log LEVEL TEXT` writes a record of that level, by which a client can see whether the log reaches it.
    fn write_log(&self, argument: &str) -> String {
        let (level, text) = argument.split_once(' ').unwrap_or((argument, ""));
        if let Some(level) = log_level(level).filter(|_| !text.is_empty()) {
            let record = LogRecord {
                level,
                channel: 0,
                origin: ("mod_commands.c", "log_function", 1200),
                text: text.as_bytes().to_vec(),
            };
            self.post(&record.into());
        }
        "+OK\n".to_owned()
    }

    fn status(&self) -> String {
        let up = self.up();
        let seconds = up.as_secs();
        format!(
            "UP 0 years, {} days, {} hours, {} minutes, {} seconds, {} milliseconds, {} microseconds\n\
             FreeSWITCH (Version 1.11.3-dev  64bit) is ready\n0 session(s) since startup\n\
             0 session(s) - peak 0, last 5min 0 \n0 session(s) per Sec out of max 30, peak 0, last 5min 0 \n\
             1000 session(s) max\nmin idle cpu 0.00/0.27\nCurrent Stack Size/Max 240K/8192K\n",
            seconds / 86_400,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            up.subsec_millis(),
            up.subsec_micros() % 1000,
        )
    }

    fn up(&self) -> Duration {
        lock(&self.started).elapsed()
    }
}
