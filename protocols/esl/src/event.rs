//! One plain event: which headers it has, which of them were forged or contradict each other.

use crate::head::number;
use crate::lines::ends;

/// The header lines of a plain event, up to its first empty line.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The lines of the body of a `text/event-plain` frame. What stands behind the first empty line is the event's own body,
    /// which a peer may have written: it is never read.
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // A last line without a line feed was cut: it is left out.
            let end = memchr::memchr(b'\n', self.rest)?;
            let (line, behind) = self.rest.split_at(end);
            if line.is_empty() {
                self.rest = &[];
                return None;
            }
            self.rest = behind.get(1..).unwrap_or_default();
            let colon = memchr::memchr(b':', line)
                .map(|at| line.split_at(at))
                .and_then(|(name, value)| Some((name, value.strip_prefix(b": ")?)));
            if colon.is_some() {
                return colon;
            }
        }
    }
}

/// The headers that tell who did what; every value still percent-encoded, empty when missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) subclass: &'a [u8],
    pub(crate) timestamp: &'a [u8],
    pub(crate) sequence: &'a [u8],
    pub(crate) ip: &'a [u8],
    pub(crate) port: &'a [u8],
    pub(crate) from_user: &'a [u8],
    pub(crate) from_host: &'a [u8],
    pub(crate) to_user: &'a [u8],
    pub(crate) to_host: &'a [u8],
    pub(crate) call_id: &'a [u8],
    pub(crate) username: &'a [u8],
    pub(crate) realm: &'a [u8],
    pub(crate) agent: &'a [u8],
    pub(crate) result: &'a [u8],
    pub(crate) method: &'a [u8],
    pub(crate) verto_address: &'a [u8],
    pub(crate) verto_login: &'a [u8],
    pub(crate) verto_success: &'a [u8],
    pub(crate) hangup: &'a [u8],
    pub(crate) direction: &'a [u8],
    /// The module whose call it is.
    pub(crate) caller_source: &'a [u8],
    pub(crate) number: &'a [u8],
    pub(crate) call_ip: &'a [u8],
    pub(crate) call_port: &'a [u8],
    pub(crate) via: &'a [u8],
    pub(crate) sip_call_id: &'a [u8],
    pub(crate) sip_agent: &'a [u8],
    pub(crate) profile: &'a [u8],
    pub(crate) disposition: &'a [u8],
    pub(crate) application: &'a [u8],
    pub(crate) application_data: &'a [u8],
    pub(crate) answered: &'a [u8],
    /// The call was let in by a password or an access list.
    pub(crate) authorised: bool,
    /// FreeSWITCH tried to reach somebody for the call.
    pub(crate) originated: bool,
    forged: bool,
    contradictory: bool,
}

impl<'a> Event<'a> {
    /// Reads the body of a `text/event-plain` frame.
    pub fn read(body: &'a [u8]) -> Self {
        let mut event = Self::default();
        let mut start = 0;
        // A last line without a line feed was cut: it is left out. Behind the first empty line stands text of a peer.
        for end in ends(body) {
            let line = body.get(start..end).unwrap_or_default();
            if line.is_empty() {
                break;
            }
            start = end + 1;
            event.add(line);
        }
        event
    }

    /// Whether a client of the event socket made it up with `sendevent`.
    pub fn is_forged(&self) -> bool {
        self.forged
    }

    /// Whether it says two different things about the same.
    pub fn is_contradictory(&self) -> bool {
        self.contradictory
    }

    /// When it was fired, in milliseconds since the Unix epoch.
    pub(crate) fn millis(&self) -> Option<u64> {
        number(self.timestamp).map(|micros| micros / 1000)
    }

    /// Its number in the order in which FreeSWITCH made its events.
    pub(crate) fn number(&self) -> Option<u64> {
        number(self.sequence)
    }

    fn add(&mut self, line: &'a [u8]) {
        let Some((slot, value)) = self.slot(line) else {
            return;
        };
        let contradictory = !slot.is_empty() && *slot != value;
        if slot.is_empty() {
            *slot = value;
        }
        self.contradictory |= contradictory;
    }

    /// Where the value of a header line belongs, if it is read. Most lines are not, so that they are told apart by their first
    /// letter, and nothing is searched for.
    fn slot(&mut self, line: &'a [u8]) -> Option<(&mut &'a [u8], &'a [u8])> {
        macro_rules! read {
            ($($name:literal => $field:ident),+ $(,)?) => {{
                $(if let Some(value) = line.strip_prefix(concat!($name, ": ").as_bytes()) {
                    return Some((&mut self.$field, value));
                })+
            }};
        }
        macro_rules! mark {
            ($($name:literal => $field:ident),+ $(,)?) => {{
                $(if line.starts_with(concat!($name, ": ").as_bytes()) {
                    self.$field = true;
                    return None;
                })+
            }};
        }
        match line.first() {
            Some(b'E') => match line.get(6) {
                Some(b'N') => read!("Event-Name" => name),
                Some(b'S') => read!("Event-Subclass" => subclass, "Event-Sequence" => sequence),
                Some(b'D') => read!("Event-Date-Timestamp" => timestamp),
                Some(b'U') => mark!("Event-UUID" => forged),
                Some(b'C') => self.forged |= line == b"Event-Calling-File: mod_event_socket.c",
                _ => {}
            },
            Some(b'C') => {
                mark!("Command" => forged);
                read!(
                    "Call-Direction" => direction, "Caller-Source" => caller_source,
                    "Caller-Destination-Number" => number,
                );
            }
            Some(b'H') => read!("Hangup-Cause" => hangup),
            Some(b'a') => read!("auth-result" => result),
            Some(b'c') => read!("call-id" => call_id),
            Some(b'f') => read!("from-user" => from_user, "from-host" => from_host, "from_user" => from_user),
            Some(b'n') => read!(
                "network-ip" => ip, "network-port" => port, "network_ip" => ip, "network_port" => port
            ),
            Some(b'p') => read!("profile-name" => profile),
            Some(b'r') => read!("realm" => realm, "registration-type" => method),
            Some(b't') => read!("to-user" => to_user, "to-host" => to_host),
            Some(b'u') => read!("username" => username, "user-agent" => agent),
            Some(b'v') => {
                read!(
                    "variable_sip_network_ip" => call_ip,
                    "variable_sip_network_port" => call_port,
                    "variable_sip_via_protocol" => via,
                    "variable_sip_call_id" => sip_call_id,
                    "variable_sip_user_agent" => sip_agent,
                    "variable_sofia_profile_name" => profile,
                    "variable_sip_hangup_disposition" => disposition,
                    "variable_last_app" => application,
                    "variable_current_application_data" => application_data,
                    "variable_answer_epoch" => answered,
                    "verto_client_address" => verto_address,
                    "verto_profile_name" => profile,
                    "verto_login" => verto_login,
                    "verto_success" => verto_success,
                );
                mark!(
                    "variable_sip_authorized" => authorised,
                    "variable_sip_auth_username" => authorised,
                    "variable_sip_acl_authed_by" => authorised,
                    "variable_originate_disposition" => originated,
                    "variable_originated_legs" => originated,
                    "variable_originate_failed_cause" => originated,
                    "variable_DIALSTATUS" => originated,
                );
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_the_first_empty_one() {
        let body = b"Event-Name: MESSAGE\nno header\nContent-Length: 30\n\nnetwork-ip: 192.0.2.9\n";
        assert_eq!(Lines::new(body).count(), 2);
        assert_eq!(Event::read(body).ip, b"");
    }

    #[test]
    fn an_event_is_read_wherever_its_lines_end() {
        for pad in 0..20 {
            let x = "x".repeat(pad);
            let body = format!("{x}: 1\nnetwork-ip: 192.0.2.1\nrealm: {x}\n\nnetwork-port: 7\n");
            let event = Event::read(body.as_bytes());
            assert_eq!((event.ip, event.realm), (&b"192.0.2.1"[..], x.as_bytes()));
            assert_eq!(event.port, b"", "behind the empty line");
            let cut = &body.as_bytes()[..body.len() - 19];
            assert_eq!(Event::read(cut).realm, b"", "{pad}");
        }
    }

    #[test]
    fn a_header_twice_must_say_the_same() {
        assert!(!Event::read(b"Hangup-Cause: A\nHangup-Cause: A\n\n").is_contradictory());
        assert!(Event::read(b"network-ip: 192.0.2.1\nnetwork-ip: 192.0.2.2\n\n").is_contradictory());
    }

    #[test]
    fn an_event_of_a_client_is_known_by_any_of_its_marks() {
        for mark in [
            "Command: sendevent%20CUSTOM",
            "Event-UUID: 1",
            "Event-Calling-File: sofia_reg.c\nEvent-Calling-File: mod_event_socket.c",
        ] {
            assert!(Event::read(format!("network-ip: 192.0.2.1\n{mark}\n\n").as_bytes()).is_forged());
        }
        assert!(!Event::read(b"Event-Calling-File: sofia_reg.c\n\n").is_forged());
    }
}
