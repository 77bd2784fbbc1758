//! What the tests of the configuration share; each uses a part.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ringfence::config::{self, Config, Diagnosis, Warning};

/// A folder with a configuration, and the secrets it names.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("pbx1.secret", 0o640, "hunter2\n");
        folder.write("open.secret", 0o644, "hunter2\n");
        folder.write("writable.secret", 0o660, "hunter2\n");
        folder.write("empty.secret", 0o640, "\n");
        folder.write("lines.secret", 0o640, "hunter2\nhunter3\n");
        folder.write("ca.pem", 0o644, "");
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, mode: u32, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn load_with(&self, env: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), Diagnosis> {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        config::load(&self.path("ringfence.toml"), env)
    }

    pub fn load(&self, text: impl AsRef<[u8]>) -> Result<(Config, Vec<Warning>), Diagnosis> {
        self.write("ringfence.toml", 0o640, text);
        self.load_with(&[])
    }

    /// Text as it reads wherever the folder is.
    pub fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// A PBX that is configured well.
pub const PBX: &str = "[[asterisk]]\nname = \"pbx1\"\naddress = \"127.0.0.1:5038\"\nusername = \"ringfence\"\n\
                   secret_file = \"pbx1.secret\"\n";
