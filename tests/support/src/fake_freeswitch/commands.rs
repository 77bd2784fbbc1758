//! Commands as they come in: lines until an empty one, and a body if they announce one.

/// Bytes a command's lines may take.
const LONGEST_HEAD: usize = 64 * 1024;
/// Bytes a body may take.
const LONGEST_BODY: usize = 1024 * 1024;

/// One command of a client.
#[derive(Debug)]
pub(super) struct Command {
    /// Its first line, without the line end.
    pub(super) line: Vec<u8>,
    /// The headers after it, in order.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    /// As many bytes as `content-length` says.
    pub(super) body: Vec<u8>,
}

impl Command {
    /// The first word and what follows it.
    pub(super) fn words(&self) -> (String, String) {
        let line = String::from_utf8_lossy(&self.line);
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        (word.to_ascii_lowercase(), rest.to_owned())
    }

    /// A header by its name, whose case does not matter.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// How a test may see it: the first line, without a password.
    pub(super) fn shown(&self) -> String {
        let line = String::from_utf8_lossy(&self.line);
        match self.words().0.as_str() {
            "auth" => "auth".to_owned(),
            "userauth" => line.split(':').next().unwrap_or_default().to_owned(),
            _ => line.into_owned(),
        }
    }
}

/// A client said what FreeSWITCH hangs up on.
#[derive(Debug)]
pub(super) struct Broken;

/// Bytes that are not a whole command yet.
#[derive(Debug, Default)]
pub(super) struct Inbox(Vec<u8>);

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole command.
    pub(super) fn next(&mut self) -> Result<Option<Command>, Broken> {
        let blank = self
            .0
            .iter()
            .take_while(|byte| matches!(byte, b'\n' | b'\r'))
            .count();
        self.0.drain(..blank);
        let (mut lines, mut end) = (Vec::new(), 0);
        loop {
            let Some(length) = self.0[end..].iter().position(|&byte| byte == b'\n') else {
                return if self.0.len() > LONGEST_HEAD {
                    Err(Broken)
                } else {
                    Ok(None)
                };
            };
            let line = &self.0[end..end + length];
            end += length + 1;
            match line.strip_suffix(b"\r").unwrap_or(line) {
                [] => break,
                line => lines.push(line.to_vec()),
            }
        }
        let mut lines = lines.into_iter();
        let mut command = Command {
            line: lines.next().unwrap_or_default(),
            headers: lines.filter_map(|line| header(&line)).collect(),
            body: Vec::new(),
        };
        let announced = command
            .header("content-length")
            .map(|value| String::from_utf8_lossy(value).trim().parse::<i64>());
        let length = match announced {
            // what is no number counts as zero
            None | Some(Err(_)) => 0,
            Some(Ok(length)) => usize::try_from(length).map_err(|_| Broken)?,
        };
        if length > LONGEST_BODY {
            return Err(Broken);
        }
        if self.0.len() < end + length {
            return Ok(None);
        }
        command.body = self.0[end..end + length].to_vec();
        self.0.drain(..end + length);
        Ok(Some(command))
    }
}

fn header(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = String::from_utf8_lossy(&line[..colon]).into_owned();
    let value = line[colon + 1..].trim_ascii_start();
    Some((name, value.to_vec()))
}
