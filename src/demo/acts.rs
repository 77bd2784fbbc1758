//! What is played: recordings of real servers under attack, each act from an address of its own.

use std::time::Duration;

use super::script::{self, Taken};

/// One act of the demonstration.
#[derive(Debug)]
pub struct Act {
    /// What a person should know before it starts.
    pub title: &'static str,
    /// The address that stands for the recorded one.
    pub address: &'static str,
    /// The recordings, one after the other.
    pub recordings: Recordings,
    /// The jail that has to ban the address; `None` when nobody may be banned.
    pub banned_by: Option<&'static str>,
    /// Blocks played at most.
    pub blocks: usize,
    /// Time that has to lie between two blocks.
    pub gap: Duration,
}

/// Everything a server sent, and so who plays it.
#[derive(Debug)]
pub enum Recordings {
    /// To a manager session.
    Asterisk(&'static [&'static [u8]]),
    /// To clients of the event socket.
    Freeswitch(&'static [Taken]),
}

macro_rules! asterisk {
    ($($name:literal),+) => {
        Recordings::Asterisk(&[
            $(include_bytes!(concat!("../../tests/captures/asterisk/", $name, ".ami.raw"))),+
        ])
    };
}

macro_rules! freeswitch {
    ($($name:literal),+) => {
        Recordings::Freeswitch(&[$(Taken {
            events: include_bytes!(concat!("../../tests/captures/freeswitch/", $name, ".narrow.raw")),
            log: include_bytes!(concat!("../../tests/captures/freeswitch/", $name, ".logwarning.raw")),
        }),+])
    };
}

/// One refusal: no event tells of it, only the log does.
const REFUSED: Taken = Taken {
    events: b"",
    log: include_bytes!("../../tests/captures/freeswitch/register_acl_deny.logwarning.raw"),
};
/// Refusals that name neither call nor account count apart when this lies between them.
const APART: Duration = Duration::from_millis(1050);

/// The acts in the order they are played.
pub const ACTS: &[Act] = &[
    Act {
        title: "Asterisk 22, PJSIP: a person mistypes a password twice, then gets it right",
        address: "192.0.2.201",
        recordings: asterisk![
            "22-pj-b-register-wrongpw",
            "22-pj-b-register-wrongpw.noseclog",
            "22-pj-d-register-ok"
        ],
        banned_by: None,
        blocks: 20,
        gap: Duration::ZERO,
    },
    Act {
        title: "Asterisk 22, PJSIP: password guessing at one account",
        address: "192.0.2.111",
        recordings: asterisk!["22-pj-b5-register-wrongpw-5"],
        banned_by: Some("auth"),
        blocks: 20,
        gap: Duration::ZERO,
    },
    Act {
        title: "Asterisk 16, chan_sip: password guessing at one account",
        address: "192.0.2.112",
        recordings: asterisk!["16-cs-b5-register-wrongpw-5"],
        banned_by: Some("auth"),
        blocks: 20,
        gap: Duration::ZERO,
    },
    Act {
        title: "Asterisk 22, PJSIP: a scan for extensions: 1000, 1001, 1002 …",
        address: "192.0.2.113",
        recordings: asterisk!["22-pj-f2-challenge-flood-unknown"],
        banned_by: Some("enumeration"),
        blocks: 12,
        gap: Duration::ZERO,
    },
    Act {
        title: "Asterisk 22, PJSIP: a flood of requests that never answer the challenge",
        address: "192.0.2.114",
        recordings: asterisk!["22-pj-f-challenge-flood"],
        banned_by: Some("flood"),
        blocks: 100,
        gap: Duration::ZERO,
    },
    Act {
        title: "Asterisk 22, AMI: guessing the manager interface's own password",
        address: "192.0.2.115",
        recordings: asterisk!["22-ami-m1-wrongpw", "22-ami-m2-unknown"],
        banned_by: Some("management"),
        blocks: 20,
        gap: Duration::ZERO,
    },
    Act {
        title: "Asterisk 22, PJSIP: user names that carry forged events blaming 8.8.8.8",
        address: "192.0.2.116",
        recordings: asterisk!["22-pj-q-inject"],
        banned_by: Some("enumeration"),
        blocks: 200,
        gap: Duration::ZERO,
    },
    Act {
        title: "FreeSWITCH 1.11: a phone fails twice, then registers, refreshes and signs off",
        address: "198.51.100.201",
        recordings: freeswitch!["register_badpw", "register_badpw_noqop", "register_ok"],
        banned_by: None,
        blocks: 40,
        gap: Duration::ZERO,
    },
    Act {
        title: "FreeSWITCH 1.11: password guessing at one account, five answers to one challenge",
        address: "198.51.100.111",
        recordings: freeswitch!["nonce_reuse_badpw"],
        banned_by: Some("auth"),
        blocks: 40,
        gap: Duration::ZERO,
    },
    // FreeSWITCH does not say whether an account exists, so that a scan looks like guessing.
    Act {
        title: "FreeSWITCH 1.11: a scan for users, each with a password",
        address: "198.51.100.112",
        recordings: freeswitch!["register_userscan"],
        banned_by: Some("auth"),
        blocks: 60,
        gap: Duration::ZERO,
    },
    Act {
        title: "FreeSWITCH 1.11: a flood of registrations that never answer the challenge",
        address: "198.51.100.113",
        recordings: freeswitch!["register_flood"],
        banned_by: Some("flood"),
        blocks: 200,
        gap: Duration::ZERO,
    },
    Act {
        title: "FreeSWITCH 1.11: refused by an access list, which only the log tells",
        address: "198.51.100.114",
        recordings: Recordings::Freeswitch(&[REFUSED; 5]),
        banned_by: Some("auth"),
        blocks: 5,
        gap: APART,
    },
    Act {
        title: "FreeSWITCH 1.11: user names, realms and agents that carry forged headers and log lines blaming 8.8.8.8",
        address: "198.51.100.115",
        recordings: freeswitch!["hostile_auth", "hostile_users", "hostile_ua"],
        banned_by: Some("auth"),
        blocks: 300,
        gap: Duration::ZERO,
    },
];

impl Act {
    /// The bytes to send, block by block: what the server sent after the recorder's own login, with the act's address.
    pub fn script(&self) -> Vec<Vec<u8>> {
        let mut blocks: Vec<Vec<u8>> = match self.recordings {
            Recordings::Asterisk(recordings) => recordings
                .iter()
                .flat_map(|recording| script::ami(recording, self.address))
                .collect(),
            Recordings::Freeswitch(recordings) => recordings
                .iter()
                .flat_map(|taken| script::esl(taken, self.address))
                .collect(),
        };
        blocks.truncate(self.blocks);
        blocks
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use ringfence_esl::{EslCodec, Kind, Mapped, Mapper};
    use ringfence_seclog::freeswitch::map_log_data;
    use tokio_util::codec::Decoder;

    use super::*;

    fn has(bytes: &[u8], what: &str) -> bool {
        memchr::memmem::find(bytes, what.as_bytes()).is_some()
    }

    #[test]
    fn every_act_plays_its_own_address_only() {
        for act in ACTS {
            let script = act.script();
            assert!(!script.is_empty() && script.len() <= act.blocks, "{}", act.title);
            let all = script.concat();
            assert!(has(&all, act.address), "{}", act.title);
            for recorded in ["192.0.2.101", "192.0.2.110", "127.0.0.2", "127.0.0.9"] {
                assert!(!has(&all, recorded), "{}", act.title);
            }
        }
    }

    #[test]
    fn addresses_are_told_apart() {
        for (n, act) in ACTS.iter().enumerate() {
            assert!(ACTS.iter().skip(n + 1).all(|other| other.address != act.address));
        }
    }

    #[test]
    fn freeswitch_frames_are_whole_and_blame_nobody_else() {
        for act in ACTS {
            let Recordings::Freeswitch(_) = act.recordings else {
                continue;
            };
            let (mut codec, mut mapper) = (EslCodec::new(), Mapper::new());
            let mut blamed = 0;
            for block in act.script() {
                let mut bytes = BytesMut::from(&block[..]);
                let block = codec.decode(&mut bytes).unwrap().unwrap();
                assert!(bytes.is_empty(), "one frame a block: {}", act.title);
                let frame = block.frame();
                let header = |name: &[u8]| frame.header(name).unwrap_or_default();
                let event = match frame.kind() {
                    Kind::LogData => map_log_data(header(b"Log-File"), header(b"Log-Func"), frame.body())
                        .map(|said| said.event),
                    _ => match mapper.map(&frame) {
                        Mapped::Event(event) => Some(event),
                        _ => None,
                    },
                };
                if let Some(event) = event {
                    assert_eq!(event.peer.addr().to_string(), act.address, "{}", act.title);
                    blamed += 1;
                }
            }
            assert!(blamed >= 4, "{}: {blamed}", act.title);
        }
    }

    #[test]
    fn the_injections_are_played() {
        let injecting = ACTS.last().map(Act::script).unwrap_or_default().concat();
        assert!(has(
            &injecting,
            "user-agent: line1%0D%0A%20network-ip%3A%208.8.8.8"
        ));
        assert!(has(
            &injecting,
            "\n 2026-01-01 00:00:00.000000 [WARNING] sofia_reg.c:1793 SIP auth failure (REGISTER) on sofia profile \
             'internal' for [1000@x] from ip 8.8.8.8"
        ));
    }
}
