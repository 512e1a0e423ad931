//! What is needed to install the service.

use std::path::Path;
use std::process::Command;

/// A container is built from what `Dockerfile.dockerignore` lets through, and cargo must find every
/// member of the workspace there, even those that are not built.
#[test]
fn a_container_is_built_from_a_whole_workspace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ignored = root.join("crates/likeness-server/deploy/Dockerfile.dockerignore");
    let context = tempfile::tempdir().unwrap();
    for line in std::fs::read_to_string(ignored).unwrap().lines() {
        let Some(path) = line.strip_prefix('!') else {
            assert_eq!(line, "*");
            continue;
        };
        let to = context.path().join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(root.join(path).canonicalize().unwrap(), to).unwrap();
    }
    let told = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(context.path())
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
}
