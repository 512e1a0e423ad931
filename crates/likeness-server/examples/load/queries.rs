//! Clients that send files.

use crate::process::{cpu, cpu_of_family, memory};
use crate::stage::{Stage, Work};
use likeness::{Input, MatchOptions};
use likeness_server::proto;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Queries that the bare engine answers, at least.
const BARE: usize = 80;

/// What came of the queries of one client.
#[derive(Default)]
struct Answers {
    seconds: Vec<f64>,
    right: usize,
    errors: Vec<String>,
}

pub(crate) async fn measure(
    stage: &Stage,
    name: &str,
    works: &[Work],
    clients: usize,
    seconds: u64,
) {
    let queries: Vec<(PathBuf, String)> = stage
        .queries(works)
        .into_iter()
        .zip(works.iter().map(|work| work.identifier.clone()))
        .collect();
    let bare = bare(stage, &queries);
    let queries = Arc::new(queries);
    let server = stage.serve();
    let began = (Instant::now(), cpu_of_family(server.id()));
    let until = began.0 + Duration::from_secs(seconds);
    let mut tasks = Vec::new();
    for client in 0..clients {
        tasks.push(tokio::spawn(ask(
            server.client().await,
            queries.clone(),
            client,
            until,
        )));
    }
    let mut all = Answers::default();
    for task in tasks {
        let answers = task.await.unwrap();
        all.seconds.extend(answers.seconds);
        all.right += answers.right;
        all.errors.extend(answers.errors);
    }
    let wall = began.0.elapsed().as_secs_f64();
    let count = all.seconds.len();
    let each = (cpu_of_family(server.id()) - began.1) / count as f64;
    let (now, peak) = memory(server.id());
    all.seconds.sort_by(f64::total_cmp);
    let quantile = |q: f64| all.seconds[((count - 1) as f64 * q).round() as usize];
    println!("{name}: {clients} clients, {wall:.0} s");
    println!(
        "  {count} queries, {:.1} a second, {} errors, {} found their reference",
        count as f64 / wall,
        all.errors.len(),
        all.right
    );
    println!(
        "  seconds: p50 {:.2}, p95 {:.2}, p99 {:.2}",
        quantile(0.5),
        quantile(0.95),
        quantile(0.99)
    );
    println!(
        "  processor time a query: service {:.1} ms, bare engine {:.1} ms, overhead {:+.1} %",
        each * 1e3,
        bare * 1e3,
        (each / bare - 1.0) * 100.0
    );
    println!("  memory of the service: {now} MiB, at most {peak} MiB");
    for error in all.errors.iter().take(3) {
        println!("  {error}");
    }
}

async fn ask(
    mut client: likeness_server::client::Client,
    queries: Arc<Vec<(PathBuf, String)>>,
    first: usize,
    until: Instant,
) -> Answers {
    let mut answers = Answers::default();
    for (path, reference) in queries.iter().cycle().skip(first) {
        let began = Instant::now();
        if began >= until {
            break;
        }
        let options = proto::MatchOptions::default();
        match client.match_file(path, options).await {
            Ok(report) => {
                let right = report.matches.iter().any(|m| m.reference == *reference);
                answers.right += usize::from(right);
            }
            Err(error) => answers.errors.push(error.to_string()),
        }
        answers.seconds.push(began.elapsed().as_secs_f64());
    }
    answers
}

/// Seconds of processor time that the engine takes for a query, as many side by side as there are
/// processors.
fn bare(stage: &Stage, queries: &[(PathBuf, String)]) -> f64 {
    let library = stage.library();
    let count = BARE.max(2 * queries.len());
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return;
            }
            let input = Input::file(&queries[n % queries.len()].0);
            library.match_file(&input, &MatchOptions::default(), &|_| {});
        }
    };
    let before = cpu(std::process::id());
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().unwrap().get();
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
    (cpu(std::process::id()) - before) / count as f64
}
