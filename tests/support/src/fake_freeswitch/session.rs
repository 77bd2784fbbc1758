//! The conversation with one client, from the greeting to the end.

use std::io::{self, ErrorKind, Read as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::commands::{Command, Inbox};
use super::connection::Connection;
use super::frames::{self, Event};
use super::shared::{Shared, lock};
use super::subscription::{Allowed, event_name};
use super::{fs_events, node};

/// How long a thread waits for a command before it looks after what was posted to it.
const PAUSE: Duration = Duration::from_millis(5);
const NOT_FOUND: &str = "-ERR command not found";

/// Whether the conversation goes on after a command.
enum Next {
    Listen,
    HangUp,
}

impl Shared {
    /// Talks with one client until somebody ends it.
    pub(super) fn serve(&self, connection: &Connection, stream: &TcpStream) {
        // The client may leave at any moment: a failed write or read ends the session, whatever was being said.
        if self.converse(connection, stream).is_ok() && !connection.ended() {
            let _ = connection.write(&frames::notice(frames::GOODBYE), 0);
            hear_out(stream);
        }
        connection.gone();
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// Ends with `Ok` where FreeSWITCH takes its leave, and with an error where nobody is left to hear it.
    fn converse(&self, connection: &Connection, mut stream: &TcpStream) -> io::Result<()> {
        self.stall(connection)?;
        if lock(&self.manners).refused_by_acl {
            self.post(&fs_events::esl_acl(connection.peer.ip()).into());
            return connection.write(frames::REJECTION, 0);
        }
        connection.write(frames::GREETING, 0)?;
        stream.set_read_timeout(Some(PAUSE))?;
        let began = Instant::now();
        let (mut inbox, mut buffer) = (Inbox::default(), vec![0; 16 * 1024]);
        loop {
            loop {
                self.stall(connection)?;
                match inbox.next() {
                    Ok(Some(command)) => {
                        connection.remember(command.shown());
                        if let Next::HangUp = self.answer(connection, &command)? {
                            return Ok(());
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
            }
            connection.flush()?;
            if !lock(&connection.state).logged_in && began.elapsed() > lock(&self.manners).login_limit {
                return Ok(());
            }
            match stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => inbox.push(&buffer[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits as long as the server does nothing.
    fn stall(&self, connection: &Connection) -> io::Result<()> {
        while lock(&self.manners).stalled && !connection.ended() {
            thread::sleep(PAUSE);
        }
        if connection.ended() {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    fn answer(&self, connection: &Connection, command: &Command) -> io::Result<Next> {
        let (word, rest) = command.words();
        let say = |text: &str| connection.write(&frames::reply(text), 0);
        if !lock(&connection.state).logged_in {
            return match word.as_str() {
                "auth" | "userauth" if !rest.is_empty() => self.log_in(connection, &word, &rest),
                _ => say(NOT_FOUND).map(|()| Next::Listen),
            };
        }
        match word.as_str() {
            "exit" => return say("+OK bye").map(|()| Next::HangUp),
            "api" if !rest.is_empty() => self.api(connection, &rest)?,
            "bgapi" if !rest.is_empty() => self.bgapi(connection, &rest, command.header("job-uuid"))?,
            "sendevent" => say(&self.send_event(&rest, command))?,
            _ => {
                let reply = subscribe(connection, &word, &rest);
                say(&reply)?;
            }
        }
        Ok(Next::Listen)
    }

    fn log_in(&self, connection: &Connection, word: &str, rest: &str) -> io::Result<Next> {
        let accepted = if word == "auth" {
            (rest == self.password).then(|| (Allowed::default(), String::new()))
        } else {
            lock(&self.users)
                .iter()
                .find(|user| rest.split_once(':') == Some((&user.name, &user.password)))
                .map(|user| {
                    let line = |name: &str, value: Option<&str>| {
                        value.map_or(String::new(), |value| format!("\n{name}: {value}"))
                    };
                    let says = line("Allowed-Events", user.events.as_deref())
                        + &line("Allowed-API", user.api.as_deref())
                        + &line("Allowed-LOG", Some(if user.log { "true" } else { "false" }));
                    (Allowed::of(user), says)
                })
        };
        let Some((allowed, says)) = accepted else {
            self.refusals.fetch_add(1, Ordering::Relaxed);
            connection.write(&frames::reply("-ERR invalid"), 0)?;
            return Ok(Next::HangUp);
        };
        self.logins.fetch_add(1, Ordering::Relaxed);
        let mut state = lock(&connection.state);
        state.logged_in = true;
        state.allowed = allowed;
        drop(state);
        connection.write(&frames::reply(&format!("+OK accepted{says}")), 0)?;
        Ok(Next::Listen)
    }

    fn api(&self, connection: &Connection, line: &str) -> io::Result<()> {
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        if !lock(&connection.state).allowed.api(word) {
            return connection.write(&frames::reply("-ERR permission denied"), 0);
        }
        let body = self.run(line);
        connection.write(&frames::api_response(&body), 0)?;
        self.post(&fs_events::api(word, argument).into());
        Ok(())
    }

    fn bgapi(&self, connection: &Connection, line: &str, id: Option<&[u8]>) -> io::Result<()> {
        let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
        if !lock(&connection.state).allowed.api(word) {
            return connection.write(&frames::reply("-ERR permission denied"), 0);
        }
        let id = id.map_or_else(node::uuid, |id| String::from_utf8_lossy(id).into_owned());
        connection.write(&frames::reply(&format!("+OK Job-UUID: {id}\nJob-UUID: {id}")), 0)?;
        let body = self.run(line);
        self.post(&fs_events::background_job(&id, word, argument, &body).into());
        Ok(())
    }

    /// Fires a client's event at everybody who asked for such ones; nobody needs a permission for that.
    fn send_event(&self, name: &str, command: &Command) -> String {
        let id = node::uuid();
        if let Some(name) = event_name(name) {
            let origin = ("mod_event_socket.c", "parse_command", 2283);
            let subclass = command.header("event-subclass").filter(|_| name == "CUSTOM");
            let event = match subclass {
                Some(subclass) => Event::custom(subclass, origin),
                None => Event::new(name, origin),
            };
            let mut event = event.lead("Command", &command.line);
            for (name, value) in &command.headers {
                if subclass.is_none() || !name.eq_ignore_ascii_case("event-subclass") {
                    event = event.lead(name.clone(), value);
                }
            }
            self.post(&event.lead("Event-UUID", &id).body(&command.body).into());
        }
        format!("+OK {id}")
    }
}

/// What changes nothing but this connection's own subscription, and what FreeSWITCH refuses without a call.
fn subscribe(connection: &Connection, word: &str, rest: &str) -> String {
    let state = &mut *lock(&connection.state);
    match word {
        "event" => state.subscription.event(rest, &state.allowed),
        "nixevent" => state.subscription.nix(rest),
        "noevents" => state.subscription.forget(),
        "log" => state.subscription.log(rest, &state.allowed),
        "nolog" => state.subscription.nolog(),
        "linger" | "nolinger" => "-ERR not controlling a session".to_owned(),
        "divert_events" => "-ERR not controlling a session.".to_owned(),
        _ => NOT_FOUND.to_owned(),
    }
}

/// Reads what the client still says, for a moment: closing on unread bytes would take the last words back.
fn hear_out(mut stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let end = Instant::now() + Duration::from_millis(200);
    let mut buffer = [0; 1024];
    while Instant::now() < end {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            _ => {}
        }
    }
}
