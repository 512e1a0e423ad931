//! The page that `--report` writes: whole, self-contained, and the same whatever files are called.

use crate::media;
use crate::sandbox::{Ran, Sandbox, shared};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use std::process::Command;

/// A file name that would do harm if it were not escaped.
const HOSTILE: &str = "a<img src=x onerror=alert(1)>&\"'.mp4";

/// A page about an upload at half size and 5 % faster, one of which little is known, and a bad file.
fn page(sandbox: &Sandbox, options: &[&str]) -> Ran {
    let upload = sandbox.path(&format!("up/{HOSTILE}"));
    std::fs::create_dir_all(upload.parent().unwrap()).unwrap();
    let options_of_upload = [
        "-ss",
        "4",
        "-t",
        "20",
        "-vf",
        "setpts=PTS/1.05,scale=iw/2:ih/2,pad=iw*2:ih*2:(ow-iw)/2:(oh-ih)/2",
        "-af",
        "aresample=44100,asetrate=44100*1.05,aresample=44100",
    ];
    media::ffmpeg(&shared("both.mp4"), &options_of_upload, &upload);
    media::ffmpeg(
        &shared("stranger.mp3"),
        &["-t", "10"],
        &sandbox.path("up/own.mp3"),
    );
    sandbox.write("up/bad.mp4", b"no media");
    let arguments = [
        &["match", "--format", "jsonl", "up", "--report", "page.html"],
        options,
    ];
    sandbox.run(&arguments.concat())
}

/// Parses a page and checks that all it needs is in it: returns its pictures and its sounds, decoded
/// from base64, and its text.
fn check(sandbox: &Sandbox, name: &str) -> (Vec<Vec<u8>>, Vec<Vec<u8>>, String) {
    let html = std::fs::read_to_string(sandbox.path(name)).unwrap();
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    let document = roxmltree::Document::parse_with_options(&html, options).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("lang"), Some("en"));
    let ids: Vec<&str> = root
        .descendants()
        .filter_map(|n| n.attribute("id"))
        .collect();
    let mut distinct = ids.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    let (mut pictures, mut sounds) = (Vec::new(), Vec::new());
    for node in root.descendants() {
        let tag = node.tag_name().name();
        assert!(
            !["script", "iframe", "object", "embed", "base"].contains(&tag),
            "{tag}"
        );
        for attribute in node.attributes() {
            let (key, value) = (attribute.name(), attribute.value());
            assert!(!key.starts_with("on"), "{key}={value}");
            if key == "aria-labelledby" {
                assert!(ids.contains(&value), "{value}");
            }
            if !["href", "src", "xlink:href", "action", "srcset"].contains(&key) {
                continue;
            }
            if let Some(id) = value.strip_prefix('#') {
                assert!(ids.contains(&id), "{value}");
            } else if value != "data:," {
                let (kind, data) = value.split_once(";base64,").unwrap();
                let data = STANDARD.decode(data).unwrap();
                match kind
                    .strip_prefix("data:")
                    .unwrap()
                    .split_once('/')
                    .unwrap()
                    .0
                {
                    "image" => pictures.push(data),
                    "audio" => sounds.push(data),
                    other => panic!("{other}"),
                }
            }
        }
        let labelled = ["aria-label", "aria-labelledby"]
            .iter()
            .any(|a| node.has_attribute(*a));
        let hidden = node.attribute("aria-hidden") == Some("true");
        if ["audio", "svg"].contains(&tag) {
            assert!(labelled || hidden, "{tag}");
        }
    }
    let style = root
        .descendants()
        .find(|n| n.tag_name().name() == "style")
        .unwrap();
    assert!(!style.text().unwrap().contains("//") && !style.text().unwrap().contains("@import"));
    for (i, sound) in sounds.iter().enumerate() {
        let path = sandbox.write(&format!("sound{i}"), sound);
        let mut samples = 0;
        let limits = likeness_media::Limits::default();
        likeness_media::decode_audio(&path, 22_050, &limits, &mut |block| {
            samples += block.len();
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        let seconds = samples as f64 / 22_050.0;
        assert!((5.0..9.0).contains(&seconds), "{seconds} s");
    }
    for picture in &pictures {
        let picture = image::load_from_memory(picture).unwrap();
        assert!(picture.width() >= 160 && picture.height() >= 90);
    }
    let text: Vec<&str> = root.descendants().filter_map(|n| n.text()).collect();
    (pictures, sounds, text.join(" "))
}

#[test]
fn a_page_shows_and_plays_what_speaks_for_each_match() {
    let sandbox = Sandbox::with_library();
    let references = shared("references");
    let ran = page(&sandbox, &["--references", references.to_str().unwrap()]).ends_in(2);
    // What is printed is what is printed without a page.
    assert_eq!(ran.reports().len(), 3, "{ran:#?}");
    let plain = sandbox
        .run(&["match", "--format", "jsonl", "up"])
        .ends_in(2);
    assert_eq!(ran.stdout, plain.stdout);

    let (pictures, sounds, text) = check(&sandbox, "page.html");
    // Sound: two strips; picture: three moments of query, reference and warped reference.
    assert_eq!((pictures.len(), sounds.len()), (2 + 9, 2));
    for words in [
        HOSTILE,
        "two.mp3",
        "film/alpha.mp4",
        "plays 5.0 % faster, pitch follows",
        "picture at half size, centred, in a black border",
        "What would have to be true for this to be wrong",
        "probability",
        "own.mp3",
        "bad.mp4",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(!text.contains("not at hand"), "{text}");
    let size = sandbox.path("page.html").metadata().unwrap().len();
    assert!(size < 2 * 500_000, "{size} bytes for two matches");
}

#[test]
fn without_the_references_files_what_the_library_keeps_is_shown() {
    let sandbox = Sandbox::with_library();
    page(&sandbox, &[]).ends_in(2);
    let (pictures, sounds, text) = check(&sandbox, "page.html");
    assert_eq!((pictures.len(), sounds.len()), (2 + 9, 1));
    assert!(
        text.contains("what the library keeps of it is shown"),
        "{text}"
    );
}

#[test]
fn two_files_make_a_page_as_well() {
    let sandbox = Sandbox::new();
    let options = ["-ss", "3", "-t", "12"];
    media::ffmpeg(
        &shared("references/three.mp3"),
        &options,
        &sandbox.path("up.ogg"),
    );
    let reference = sandbox.copy("references/three.mp3", "three.mp3");
    let reference = reference.to_str().unwrap();
    let report = ["--report", "page.html"];
    let compare = |arguments: &[&str]| sandbox.run(&[&["compare"], arguments, &report].concat());
    compare(&["up.ogg", reference]).ends_in(0);
    let (pictures, sounds, text) = check(&sandbox, "page.html");
    assert_eq!((pictures.len(), sounds.len()), (2, 2));
    assert!(text.contains("a plain copy"), "{text}");

    // Fingerprints in place of both files: nothing to hear.
    for name in ["up.ogg", "three.mp3"] {
        let out = format!("{name}.likeness");
        sandbox.run(&["fingerprint", name, "-o", &out]).ends_in(0);
    }
    compare(&["up.ogg.likeness", "three.mp3.likeness"]).ends_in(0);
    let (pictures, sounds, _) = check(&sandbox, "page.html");
    assert_eq!((pictures.len(), sounds.len()), (2, 0));
}

#[test]
fn a_page_overwrites_no_media() {
    let sandbox = Sandbox::with_library();
    let upload = sandbox.copy("references/one.mp3", "up.mp3");
    let before = std::fs::read(&upload).unwrap();
    let run = |report: &str| sandbox.run(&["match", "up.mp3", "--report", report]);
    run("up.mp3")
        .ends_in(2)
        .complains(&["up.mp3", "overwritten"]);
    run("nowhere/page.html")
        .ends_in(2)
        .complains(&["nowhere/page.html", "cannot write"]);
    // Neither another work, nor the library, nor another page than ours; an empty file and an
    // older page of ours are.
    let manifest = sandbox.path("library/manifest");
    let library = std::fs::read(&manifest).unwrap();
    sandbox.copy("references/two.mp3", "other.mp3");
    std::fs::write(sandbox.path("other.html"), "<!DOCTYPE html>").unwrap();
    std::fs::write(sandbox.path("page.html"), "").unwrap();
    for there in ["other.mp3", "library/manifest", "other.html"] {
        run(there).ends_in(2).complains(&[there, "not overwritten"]);
    }
    run("page.html").ends_in(0);
    run("page.html").ends_in(0);
    assert_eq!(std::fs::read(&manifest).unwrap(), library);
    assert_eq!(std::fs::read(&upload).unwrap(), before);
}

/// Opens a page in headless Chromium at a width; returns what its console says and the addresses
/// that the page asked for.
fn open(sandbox: &Sandbox, name: &str, width: u32, shot: &Path) -> (Vec<String>, Vec<String>) {
    let log = sandbox.path("net.json");
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--hide-scrollbars", "--no-first-run", "--disable-sync"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .arg("--enable-logging=stderr")
        .arg(format!(
            "--user-data-dir={}",
            sandbox.path("profile").display()
        ))
        .arg(format!("--window-size={width},5000"))
        .arg(format!("--screenshot={}", shot.display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("file://{}", sandbox.path(name).display()))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let console = errors.lines().filter(|line| line.contains("CONSOLE"));
    let net = std::fs::read_to_string(log).unwrap();
    let net: serde_json::Value = serde_json::from_str(&net)
        .or_else(|_| serde_json::from_str(&format!("{}]}}", net.trim_end().trim_end_matches(','))))
        .unwrap();
    let events = net["events"].as_array().unwrap().iter();
    // What the browser itself wants of its maker has no origin.
    let asked = events.filter_map(|event| {
        let by_page = event["params"]["initiator"].as_str()? != "not an origin";
        let address = event["params"]["url"].as_str()?;
        (by_page && !address.starts_with("file:")).then(|| address.to_owned())
    });
    (console.map(str::to_owned).collect(), asked.collect())
}

/// `tools/page-check` installs the browser and runs this.
#[test]
fn a_browser_finds_nothing_to_complain_of() {
    let wanted = std::env::var_os("LIKENESS_PAGE_CHECK");
    if Command::new("chromium").arg("--version").output().is_err() {
        assert!(wanted.is_none(), "chromium is not installed");
        eprintln!("skipped: chromium is not installed; tools/page-check installs it");
        return;
    }
    let sandbox = Sandbox::with_library();
    // That it would be seen if a page asked for something, or complained.
    let bad = "<img src='http://127.0.0.1:9/x.png'/><script>console.error('no')</script>";
    sandbox.write("bad.html", bad.as_bytes());
    let (console, asked) = open(&sandbox, "bad.html", 390, &sandbox.path("bad.png"));
    assert!(
        !console.is_empty() && !asked.is_empty(),
        "{console:?} {asked:?}"
    );

    let references = shared("references");
    page(&sandbox, &["--references", references.to_str().unwrap()]).ends_in(2);
    for width in [390, 1280] {
        let shot = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("page-{width}.png"));
        let _ = std::fs::remove_file(&shot);
        let (console, asked) = open(&sandbox, "page.html", width, &shot);
        assert_eq!(console, [] as [String; 0]);
        assert_eq!(asked, [] as [String; 0]);
        let picture = image::open(&shot).unwrap().to_luma8();
        assert_eq!(picture.width(), width);
        let mut greys = picture.as_raw().clone();
        greys.sort_unstable();
        greys.dedup();
        assert!(greys.len() > 100, "an empty page");
        println!("{}", shot.display());
    }
}
