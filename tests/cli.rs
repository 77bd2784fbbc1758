//! The command line as it is documented: what is typed, what is printed, how it ends.

#[test]
fn the_command_line_says_what_the_documents_show() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd");
}

#[test]
fn completions_and_man_pages_come_from_the_command_line_itself() {
    let folder = tempfile::tempdir().unwrap();
    let ringfence = || std::process::Command::new(env!("CARGO_BIN_EXE_ringfence"));
    for shell in ["bash", "zsh", "fish"] {
        let script = ringfence().args(["completions", shell]).output().unwrap();
        assert!(script.status.success());
        assert!(
            String::from_utf8(script.stdout).unwrap().contains("dry-run"),
            "{shell}"
        );
    }
    assert!(
        ringfence()
            .arg("man")
            .arg(folder.path())
            .status()
            .unwrap()
            .success()
    );
    let page = std::fs::read_to_string(folder.path().join("ringfence-ban.1")).unwrap();
    assert!(page.contains("90s, 10m, 1h30m"), "{page}");
    assert!(folder.path().join("ringfence.1").exists());
}
