//! What is played: recordings of real Asterisk servers under attack, each act from an address of its own.

/// One act of the demonstration.
#[derive(Debug)]
pub struct Act {
    /// What a person should know before it starts.
    pub title: &'static str,
    /// The address that stands for the recorded one.
    pub address: &'static str,
    /// The recordings, one after the other: everything the server sent to a manager session.
    pub recordings: &'static [&'static [u8]],
    /// The jail that has to ban the address; `None` when nobody may be banned.
    pub banned_by: Option<&'static str>,
    /// Blocks played at most.
    pub blocks: usize,
}

macro_rules! recording {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/captures/asterisk/", $name, ".ami.raw"))
    };
}

/// The acts in the order they are played.
pub const ACTS: &[Act] = &[
    Act {
        title: "A person mistypes a password twice, then gets it right (PJSIP, Asterisk 22)",
        address: "192.0.2.201",
        recordings: &[
            recording!("22-pj-b-register-wrongpw"),
            recording!("22-pj-b-register-wrongpw.noseclog"),
            recording!("22-pj-d-register-ok"),
        ],
        banned_by: None,
        blocks: 20,
    },
    Act {
        title: "Password guessing at one account (PJSIP, Asterisk 22)",
        address: "192.0.2.111",
        recordings: &[recording!("22-pj-b5-register-wrongpw-5")],
        banned_by: Some("auth"),
        blocks: 20,
    },
    Act {
        title: "Password guessing at one account (chan_sip, Asterisk 16)",
        address: "192.0.2.112",
        recordings: &[recording!("16-cs-b5-register-wrongpw-5")],
        banned_by: Some("auth"),
        blocks: 20,
    },
    Act {
        title: "A scan for extensions: 1000, 1001, 1002 … (PJSIP, Asterisk 22)",
        address: "192.0.2.113",
        recordings: &[recording!("22-pj-f2-challenge-flood-unknown")],
        banned_by: Some("enumeration"),
        blocks: 12,
    },
    Act {
        title: "A flood of requests that never answer the challenge (PJSIP, Asterisk 22)",
        address: "192.0.2.114",
        recordings: &[recording!("22-pj-f-challenge-flood")],
        banned_by: Some("flood"),
        blocks: 100,
    },
    Act {
        title: "Guessing the manager interface's own password (AMI, Asterisk 22)",
        address: "192.0.2.115",
        recordings: &[recording!("22-ami-m1-wrongpw"), recording!("22-ami-m2-unknown")],
        banned_by: Some("management"),
        blocks: 20,
    },
    Act {
        title: "User names that carry forged events blaming 8.8.8.8 (PJSIP, Asterisk 22)",
        address: "192.0.2.116",
        recordings: &[recording!("22-pj-q-inject")],
        banned_by: Some("enumeration"),
        blocks: 200,
    },
];

/// What the recorded servers saw as the attacker's addresses.
const RECORDED: [&str; 2] = ["192.0.2.101", "192.0.2.110"];

impl Act {
    /// The bytes to send, block by block: what the server sent after the recorder's own login, with the act's address.
    pub fn script(&self) -> Vec<Vec<u8>> {
        let mut blocks = Vec::new();
        for recording in self.recordings {
            let mut rest = *recording;
            while let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") {
                let (block, behind) = rest.split_at(end + 4);
                rest = behind;
                if !is_the_recorders_own(block) {
                    blocks.push(self.readdressed(block));
                }
            }
        }
        blocks.truncate(self.blocks);
        blocks
    }

    fn readdressed(&self, block: &[u8]) -> Vec<u8> {
        let mut block = block.to_vec();
        for recorded in RECORDED {
            let mut from = 0;
            while let Some(at) = block
                .get(from..)
                .and_then(|rest| memchr::memmem::find(rest, recorded.as_bytes()))
            {
                let start = from + at;
                block.splice(start..start + recorded.len(), self.address.bytes());
                from = start + self.address.len();
            }
        }
        block
    }
}

/// The banner with the answer to the login, the recorder's own login event, its Logoff's answer, and what the recording
/// laboratory did to itself.
fn is_the_recorders_own(block: &[u8]) -> bool {
    memchr::memmem::find(block, b"AccountID: ringfence\r\n").is_some()
        || memchr::memmem::find(block, b"/127.0.0.1/").is_some()
        || block.starts_with(b"Response: ")
        || block.starts_with(b"Asterisk Call Manager/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_plays_its_own_address_only() {
        for act in ACTS {
            let script = act.script();
            assert!(!script.is_empty() && script.len() <= act.blocks, "{}", act.title);
            let all = script.concat();
            assert!(
                memchr::memmem::find(&all, act.address.as_bytes()).is_some(),
                "{}",
                act.title
            );
            for recorded in RECORDED {
                assert!(
                    memchr::memmem::find(&all, recorded.as_bytes()).is_none(),
                    "{}",
                    act.title
                );
            }
        }
    }
}
