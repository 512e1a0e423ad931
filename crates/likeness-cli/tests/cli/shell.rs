//! Help, completions and manual pages.

use crate::sandbox::Sandbox;

#[test]
fn completions_and_pages_name_the_commands() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.run(&["completions", shell]).ends_in(0).stdout;
        assert!(script.contains("fingerprint"), "{shell}");
    }
    let page = sandbox.run(&["man"]).ends_in(0).stdout;
    assert!(page.starts_with(".ie") || page.contains(".TH"), "{page}");
    sandbox.run(&["man", "pages"]).ends_in(0);
    for page in ["likeness.1", "likeness-match.1", "likeness-add.1"] {
        assert!(sandbox.path("pages").join(page).is_file(), "{page}");
    }
}

#[test]
fn wrong_usage_is_an_error() {
    let sandbox = Sandbox::new();
    for args in [
        ["match"].as_slice(),
        &["unheard-of"],
        &["add", "--format", "xml", "x"],
        &["match", "--jobs", "100000", "x"],
    ] {
        sandbox.run(args).ends_in(2);
    }
    sandbox.run(&["--help"]).ends_in(0);
    sandbox.run(&["--version"]).ends_in(0);
}
