//! The server's memory over many queries by fingerprint.

use crate::process::{cpu_of_family, memory};
use crate::stage::Stage;
use bytes::Bytes;
use likeness::ExtractOptions;
use likeness::core::Density;
use likeness_server::proto::MatchOptions;
use std::time::Instant;

/// Clients that ask side by side.
const CLIENTS: usize = 4;
/// Parts of the whole after each of which memory is told.
const PARTS: usize = 10;

pub(crate) async fn measure(stage: &Stage, count: usize) {
    let prints: Vec<Bytes> = stage
        .queries(&stage.songs)
        .iter()
        .map(|path| {
            let options = ExtractOptions::default();
            let made = likeness::fingerprint_file(path, Density::Query, &options, &|_| {});
            made.unwrap().fingerprint.encode().into()
        })
        .collect();
    let server = stage.serve();
    let began = (Instant::now(), cpu_of_family(server.id()));
    for part in 0..PARTS {
        let mut tasks = Vec::new();
        for first in 0..CLIENTS {
            let (mut client, prints) = (server.client().await, prints.clone());
            tasks.push(tokio::spawn(async move {
                for n in 0..count / PARTS / CLIENTS {
                    let print = prints[(first + n) % prints.len()].clone();
                    let answer = client.match_fingerprint(print, MatchOptions::default());
                    answer.await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let done = (part + 1) * (count / PARTS / CLIENTS) * CLIENTS;
        let (now, peak) = memory(server.id());
        println!("  after {done} fingerprints: {now} MiB, at most {peak} MiB");
    }
    let (wall, cpu) = (
        began.0.elapsed().as_secs_f64(),
        cpu_of_family(server.id()) - began.1,
    );
    println!(
        "fingerprints: {count} in {wall:.0} s, {:.2} ms of processor time each, no error",
        cpu / count as f64 * 1e3
    );
}
