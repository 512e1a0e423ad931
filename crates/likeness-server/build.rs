//! Generates the service's types from `proto/`, with no other program needed.

use prost::Message;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = [
        "likeness/v1/match_service.proto",
        "likeness/v1/reference_service.proto",
    ];
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("likeness.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".likeness.v1")
        .compile_fds(descriptors)?;
    Ok(())
}
