//! The benchmark harness: corpus, distortions, matching, metrics, report.

mod ablate;
mod calibrate;
mod cast;
mod compare;
mod constants;
mod corpus;
mod costs;
mod decode;
mod fetch;
mod fingerprints;
mod gate;
mod made;
mod make;
mod material;
mod neighbours;
mod own;
mod report;
mod run;
mod scale;
mod score;
mod stats;
mod suite;
mod truth;
mod windows;

use anyhow::{Context, Result, ensure};
use cast::Cast;
use clap::{Args, Parser, Subcommand};
use corpus::{Kind, Role, Split, Work};
use likeness::MatchOptions;
use likeness_core::report::MatchReport;
use made::Made;
use report::Results;
use score::ndcr::LibraryHours;
use std::path::{Path, PathBuf};
use suite::Suite;

/// Measures likeness on real media under synthetic disguises.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetches the corpus by package name; what is there already is kept.
    Fetch {
        /// Works of this split only.
        #[arg(long)]
        split: Option<Split>,
        /// Works of these kinds only.
        #[arg(long)]
        kind: Vec<Kind>,
        /// Only these packages.
        #[arg(long)]
        package: Vec<String>,
        /// Only the packages that this suite names.
        #[arg(long)]
        suite: Option<String>,
        /// At most so many packages, small ones first.
        #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
        limit: usize,
        /// The manifest of works.
        #[arg(long, default_value = "datasets/corpus.tsv")]
        manifest: PathBuf,
        /// Where the files go.
        #[arg(long, default_value = "datasets/media")]
        corpus: PathBuf,
    },
    /// Makes a suite's queries and their truth.
    Make(Setting),
    /// Adds a suite's references, matches its queries (made first when they are not there or were
    /// made otherwise), scores and reports.
    Run {
        #[command(flatten)]
        setting: Setting,
        /// Keep the library of an earlier run, when references and extractors are the same.
        #[arg(long)]
        reuse: bool,
        /// Only rows whose name contains this; may be repeated.
        #[arg(long)]
        only: Vec<String>,
        /// Match sound also by each channel alone and by both, and tell them apart.
        #[arg(long)]
        ablate: bool,
        /// Accept what chance gives with a probability of at most this, instead of the shipped limit: to
        /// learn what that costs.
        #[arg(long)]
        max_false_positive_probability: Option<f64>,
    },
    /// Fetches, makes and runs the small suite `gate`; fails when recall falls below a row's bar or
    /// anything is claimed falsely.
    Gate {
        #[command(flatten)]
        setting: Setting,
    },
    /// Looks for the copies of the suite `scale` (of video: `scale-video`) in libraries of growing
    /// size, made of real and simulated works.
    Scale {
        #[command(flatten)]
        setting: Setting,
        #[command(flatten)]
        options: scale::Options,
    },
    /// Compares ways to search for the nearest descriptors of pictures and patches of sound.
    Neighbours {
        #[command(flatten)]
        setting: Setting,
        #[command(flatten)]
        options: neighbours::Options,
    },
    /// Scores a report (JSON Lines in the project's format, anybody's) against a truth.
    Score {
        /// The truth that `make` wrote.
        truth: PathBuf,
        /// The report.
        report: PathBuf,
        /// Hours of sound in the library that was searched; with it comes TRECVID's detection cost.
        #[arg(long, requires = "video_hours")]
        audio_hours: Option<f64>,
        /// Hours of moving picture in it.
        #[arg(long, requires = "audio_hours")]
        video_hours: Option<f64>,
    },
    /// Writes report.md, report.csv and report.html again from a run's results.json.
    Report {
        /// The folder of the run.
        folder: PathBuf,
    },
    /// Tells whether two runs had the same queries, bit for bit, and the same matches, to the last
    /// digit; fails when not.
    Compare {
        /// The folder of one run.
        one: PathBuf,
        /// The folder of the other.
        other: PathBuf,
    },
    /// Takes what `likeness plan` reckons with from runs that were made.
    Constants(constants::Options),
    /// Compares every work with all others, to learn how much evidence chance gives.
    Calibrate {
        /// Works of this split only.
        #[arg(long)]
        split: Split,
        /// Queries of these kinds only.
        #[arg(long)]
        kind: Vec<Kind>,
        #[command(flatten)]
        size: calibrate::Size,
        /// The manifest of works.
        #[arg(long, default_value = "datasets/corpus.tsv")]
        manifest: PathBuf,
        /// Where their files are.
        #[arg(long, default_value = "datasets/media")]
        corpus: PathBuf,
        /// Where results go.
        #[arg(long, default_value = "bench-out")]
        out: PathBuf,
    },
    /// Asks the beginning of every film for windows of what comes later in it: one face, one set or one
    /// display at another time is no copy.
    AnotherTime {
        /// Works of this split only.
        #[arg(long)]
        split: Split,
        /// Windows of 5 to 60 s, shared out among all films, plain and disguised.
        #[arg(long, default_value_t = 1000)]
        windows: usize,
        /// The manifest of works.
        #[arg(long, default_value = "datasets/corpus.tsv")]
        manifest: PathBuf,
        /// Where their files are.
        #[arg(long, default_value = "datasets/media")]
        corpus: PathBuf,
        /// Where results go.
        #[arg(long, default_value = "bench-out")]
        out: PathBuf,
    },
    /// Listens to the music and sets its class in the manifest: sustained, melodic or percussive.
    Classify {
        /// The manifest to rewrite.
        #[arg(long, default_value = "datasets/corpus.tsv")]
        manifest: PathBuf,
        /// Where the files are.
        #[arg(long, default_value = "datasets/media")]
        corpus: PathBuf,
    },
    /// Assigns splits and roles in the manifest.
    Assign {
        /// The manifest to rewrite.
        #[arg(long, default_value = "datasets/corpus.tsv")]
        manifest: PathBuf,
    },
}

/// What a suite is made from.
#[derive(Debug, Clone, Args)]
struct Setting {
    /// A built-in suite's name, or a TOML file.
    #[arg(long, default_value = "main")]
    suite: String,
    /// Queries of each row, instead of the suite's number.
    #[arg(long)]
    queries: Option<usize>,
    /// Works of this split only.
    #[arg(long)]
    split: Option<Split>,
    /// The manifest of works.
    #[arg(long, default_value = "datasets/corpus.tsv")]
    manifest: PathBuf,
    /// Where their files are.
    #[arg(long, default_value = "datasets/media")]
    corpus: PathBuf,
    /// One's own folder of music and videos instead of the corpus. Two of three works, by lot, become
    /// references, the others have nothing to find. Voices and photos still come from the corpus.
    #[arg(long, conflicts_with = "split")]
    media: Option<PathBuf>,
    /// Where results go.
    #[arg(long, default_value = "bench-out")]
    out: PathBuf,
    /// Files worked on at a time.
    #[arg(long, default_value_t = 0)]
    jobs: usize,
}

impl Setting {
    /// The suite's own folder.
    fn folder(&self, suite: &Suite) -> PathBuf {
        let own = if self.media.is_some() { "-own" } else { "" };
        let split = self
            .split
            .map_or(String::new(), |split| format!("-{split:?}"));
        self.out
            .join(format!("{}{own}{}", suite.name, split.to_lowercase()))
    }
}

impl Setting {
    fn cast<'a>(&self, works: &'a [Work], suite: &Suite) -> Result<Cast<'a>> {
        let shared = corpus::load_shared(&self.manifest)?;
        Cast::draw(works, shared, suite, self.split, &self.corpus)
    }

    /// The suite, its works and its folder.
    fn prepare(&self) -> Result<(Suite, Vec<Work>, PathBuf)> {
        let mut suite = Suite::load(&self.suite)?;
        if let Some(queries) = self.queries {
            suite.set_queries(queries);
        }
        let mut works = corpus::load(&self.manifest)?;
        if let Some(own) = &self.media {
            works.retain(|work| work.role == Role::Background);
            works.extend(own::works(own)?);
        }
        let folder = self.folder(&suite);
        Ok((suite, works, folder))
    }

    fn make(&self) -> Result<()> {
        let (suite, works, folder) = self.prepare()?;
        let cast = self.cast(&works, &suite)?;
        Made::clear(&folder)?;
        let queries = make::make(&suite, &cast, &self.corpus, &folder)?;
        eprintln!("{} queries in {}", queries.len(), folder.display());
        Ok(())
    }

    /// Everything from the media to the verdict.
    fn gate(&self) -> Result<()> {
        let suite = Suite::load(&self.suite)?;
        let works = corpus::load(&self.manifest)?;
        // Nothing but moving works is needed: photos and speech of these packages stay out.
        let wanted: Vec<&Work> = works
            .iter()
            .filter(|work| suite.uses(&work.package))
            .filter(|work| matches!(work.kind, Kind::Music | Kind::Video))
            .collect();
        fetch_all(&wanted, &self.corpus, usize::MAX)?;
        self.make()?;
        let results = self.run(false, &[], false, MatchOptions::default())?;
        print!("{}", report::markdown(&results));
        let faults = gate::faults(&results.scores);
        ensure!(
            faults.is_empty(),
            "the gate is closed:\n{}",
            faults.join("\n")
        );
        Ok(())
    }

    /// Libraries of growing size.
    fn scale(&self, options: &scale::Options) -> Result<String> {
        let (suite, works, folder) = self.prepare()?;
        let cast = self.cast(&works, &suite)?;
        let split = self.split.unwrap_or(Split::Test);
        let scene = scale::Scene {
            cast: &cast,
            donors: &scale::donors(&works, options.suite()?.1, split, &self.corpus),
            queries: &self.queries(&suite, &cast, &folder)?,
            media: &self.corpus,
            folder: &folder,
        };
        scale::scale(&scene, options)
    }

    /// Ways to search for neighbours.
    fn neighbours(&self, options: &neighbours::Options) -> Result<String> {
        let (suite, works, folder) = self.prepare()?;
        let cast = self.cast(&works, &suite)?;
        let scene = neighbours::Scene {
            works: &works,
            queries: &self.queries(&suite, &cast, &folder)?,
            media: &self.corpus,
            folder: &folder,
            options,
        };
        neighbours::compare(&scene)
    }

    /// A suite's queries, made first when they are not there.
    fn queries(&self, suite: &Suite, cast: &Cast<'_>, folder: &Path) -> Result<Vec<truth::Query>> {
        if Made::of(suite, cast).describes(folder) {
            return make::kept(cast, folder);
        }
        Made::clear(folder)?;
        make::make(suite, cast, &self.corpus, folder)
    }

    fn run(
        &self,
        reuse: bool,
        only: &[String],
        ablate: bool,
        matching: MatchOptions,
    ) -> Result<Results> {
        let (suite, works, folder) = self.prepare()?;
        let cast = self.cast(&works, &suite)?;
        let mut queries = self.queries(&suite, &cast, &folder)?;
        let wanted = |row: &str| only.is_empty() || only.iter().any(|part| row.contains(part));
        queries.retain(|query| wanted(&query.row));
        let options = run::Options {
            jobs: self.jobs,
            reuse,
            matching,
        };
        let (reports, costs) =
            run::run(&cast.references, &queries, &self.corpus, &folder, &options)?;
        let searched = LibraryHours {
            audio: costs.library_audio_seconds / 3600.0,
            video: costs.library_video_seconds / 3600.0,
        };
        let results = Results {
            suite,
            split: self.split.map_or("all".to_owned(), |split| {
                format!("{split:?}").to_lowercase()
            }),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: report::machine(),
            ffmpeg: likeness_distort::ffmpeg_version(),
            settings: format!("{:?}", options.matching),
            costs: Some(costs),
            scores: score::score(&queries, &reports, Some(searched)),
            ablation: ablate
                .then(|| ablate::ablate(&queries, &folder))
                .transpose()?,
        };
        report::write(&results, &folder)?;
        Ok(results)
    }
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    if let Command::Make(setting)
    | Command::Run { setting, .. }
    | Command::Gate { setting }
    | Command::Scale { setting, .. }
    | Command::Neighbours { setting, .. } = &cli.command
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(setting.jobs);
        pool.build_global()?;
    }
    match cli.command {
        Command::Fetch {
            split,
            kind,
            package,
            suite,
            limit,
            manifest,
            corpus,
        } => {
            let works = corpus::load(&manifest)?;
            let suite = suite.map(|name| Suite::load(&name)).transpose()?;
            let package = suite.map_or(package, |suite| suite.packages);
            let wanted: Vec<&Work> = works
                .iter()
                .filter(|work| split.is_none_or(|split| work.split == split))
                .filter(|work| kind.is_empty() || kind.contains(&work.kind))
                .filter(|work| package.is_empty() || package.contains(&work.package))
                .collect();
            fetch_all(&wanted, &corpus, limit)?;
        }
        Command::Make(setting) => setting.make()?,
        Command::Run {
            setting,
            reuse,
            only,
            ablate,
            max_false_positive_probability,
        } => {
            let mut matching = MatchOptions::default();
            if let Some(limit) = max_false_positive_probability {
                ensure!(
                    limit > 0.0 && limit < 1.0,
                    "a probability must lie between 0 and 1: {limit}"
                );
                matching.max_false_positive_probability = limit;
            }
            let results = setting.run(reuse, &only, ablate, matching)?;
            print!("{}", report::markdown(&results));
        }
        Command::Gate { mut setting } => {
            // Named here and not by the flag's default, which is another suite.
            ensure!(setting.suite == "main", "the gate has a suite of its own");
            setting.suite = "gate".to_owned();
            setting.gate()?;
        }
        Command::Scale {
            mut setting,
            options,
        } => {
            setting.suite = options.suite()?.0.to_owned();
            // Simulated works are made of the other split's.
            setting.split = setting.split.or(Some(Split::Test));
            print!("{}", setting.scale(&options)?);
        }
        Command::Neighbours { setting, options } => {
            print!("{}", setting.neighbours(&options)?);
        }
        Command::Score {
            truth,
            report,
            audio_hours,
            video_hours,
        } => {
            let searched = audio_hours
                .zip(video_hours)
                .map(|(audio, video)| LibraryHours { audio, video });
            let queries = truth::load_named(&truth, |query: &truth::Query| &query.query)?;
            let reports = truth::load_named(&report, |report: &MatchReport| &report.query)?;
            let scores = score::score(&queries, &reports, searched);
            println!("{}", serde_json::to_string_pretty(&scores)?);
        }
        Command::Report { folder } => {
            report::write(&read_results(&folder)?, &folder)?;
        }
        Command::Compare { one, other } => {
            let found = compare::folders(&one, &other)?;
            println!(
                "the same in both: {} queries, bit for bit, and {} reports",
                found.same_queries, found.same_reports
            );
            ensure!(found.differences.is_empty(), found.differences.join("\n"));
        }
        Command::Constants(options) => constants::constants(&options, &report::machine())?,
        Command::Calibrate {
            split,
            kind,
            size,
            manifest,
            corpus,
            out,
        } => {
            let works = corpus::load(&manifest)?;
            let works: Vec<&Work> = works.iter().filter(|work| work.split == split).collect();
            let shared = corpus::load_shared(&manifest)?;
            let out = out.join(format!("calibrate-{split:?}").to_lowercase());
            print!(
                "{}",
                calibrate::calibrate(&works, split, &kind, &shared, size, &corpus, &out)?
            );
        }
        Command::AnotherTime {
            split,
            windows,
            manifest,
            corpus,
            out,
        } => {
            let works = corpus::load(&manifest)?;
            let works: Vec<&Work> = works.iter().filter(|work| work.split == split).collect();
            let out = out.join(format!("another-time-{split:?}").to_lowercase());
            let report = calibrate::another_time(&works, split, windows, &corpus, &out)?;
            print!("{report}");
        }
        Command::Classify { manifest, corpus } => {
            let mut works = corpus::load(&manifest)?;
            let count = material::classify(&mut works, &corpus)?;
            corpus::save(&manifest, &works)?;
            eprintln!("{count} works classified");
        }
        Command::Assign { manifest } => {
            let mut works = corpus::load(&manifest)?;
            corpus::assign(&mut works);
            corpus::save(&manifest, &works)?;
        }
    }
    Ok(())
}

fn fetch_all(wanted: &[&Work], media: &Path, limit: usize) -> Result<()> {
    let outcome = fetch::fetch(wanted, media, limit)?;
    eprintln!(
        "{} files fetched, {} were there, {} are missing",
        outcome.fetched, outcome.present, outcome.missing
    );
    ensure!(
        outcome.missing == 0,
        "{} files are missing",
        outcome.missing
    );
    Ok(())
}

fn read_results(folder: &Path) -> Result<Results> {
    let path = folder.join("results.json");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}
