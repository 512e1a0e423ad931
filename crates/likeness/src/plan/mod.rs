//! What a catalogue and its traffic would need, reckoned from measured costs. Every line shows its formula.

mod constants;

pub use constants::{Constants, Medium, Size};

use serde::Deserialize;

/// Share of a core that work may take: the rest is for what was not reckoned with.
const LOAD: f64 = 0.7;
const DAY: f64 = 86_400.0;
const GIB: f64 = (1u64 << 30) as f64;
const GB: f64 = 1e9;

/// A catalogue and its traffic.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand {
    /// Hours of sound in the catalogue.
    pub audio_hours: f64,
    /// Hours of moving picture.
    pub video_hours: f64,
    /// Uploads to match on an average day.
    pub uploads_per_day: f64,
    /// Their mean length.
    pub seconds_per_upload: f64,
    /// Share of them that have a picture.
    pub with_picture: f64,
    /// Days in which the catalogue shall be fingerprinted.
    pub ingest_days: f64,
    /// The busiest moment's uploads in multiples of the average.
    pub peak: f64,
    /// Copies of everything.
    pub replicas: u32,
    /// Share of what a small library finds that every shard shall find.
    pub found: f64,
}

/// What things cost a month.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// In what money.
    pub currency: String,
    /// A core.
    pub core_month: f64,
    /// A GiB of memory.
    pub memory_gib_month: f64,
    /// A GB of disk.
    pub disk_gb_month: f64,
}

impl Prices {
    /// Reads prices.
    ///
    /// # Errors
    /// What does not fit.
    pub fn parse(text: &str) -> Result<Prices, String> {
        let prices: Prices = toml::from_str(text).map_err(|e| e.to_string())?;
        if prices.currency.chars().any(char::is_control) {
            return Err("currency: it has control characters".to_owned());
        }
        let amounts = [
            ("core_month", prices.core_month),
            ("memory_gib_month", prices.memory_gib_month),
            ("disk_gb_month", prices.disk_gb_month),
        ];
        match amounts
            .iter()
            .find(|(_, price)| !(0.0..=1e12).contains(price))
        {
            Some((name, price)) => Err(format!("{name}: {price} is no price")),
            None => Ok(prices),
        }
    }
}

/// One number that was reckoned.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is.
    pub what: &'static str,
    /// How much.
    pub amount: f64,
    /// Of what.
    pub unit: String,
    /// How it was reckoned, with the numbers.
    pub formula: String,
}

/// A plan, line by line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The lines; later ones rest on earlier ones.
    pub lines: Vec<Line>,
}

impl Plan {
    /// Reckons.
    pub fn new(demand: &Demand, constants: &Constants, prices: Option<&Prices>) -> Plan {
        let mut plan = Plan::default();
        let ingest = plan.ingest(demand, constants);
        let disk = plan.disk(demand, constants);
        let shards = plan.shards(demand, constants);
        let memory = plan.memory(demand, constants, shards);
        let matching = plan.matching(demand, constants, shards);
        if let Some(prices) = prices {
            plan.money(prices, demand, [ingest, matching, memory, disk]);
        }
        plan
    }

    /// A line's amount.
    pub fn amount(&self, what: &str) -> Option<f64> {
        self.lines
            .iter()
            .find(|line| line.what == what)
            .map(|line| line.amount)
    }

    fn tell(&mut self, what: &'static str, amount: f64, unit: &str, formula: String) -> f64 {
        self.lines.push(Line {
            what,
            amount,
            unit: unit.to_owned(),
            formula,
        });
        amount
    }

    /// Cores to fingerprint the catalogue.
    fn ingest(&mut self, demand: &Demand, constants: &Constants) -> f64 {
        let (a, v) = (
            constants.audio.ingest_cpu_s_per_hour,
            constants.video.ingest_cpu_s_per_hour,
        );
        let (hours_a, hours_v, days) = (demand.audio_hours, demand.video_hours, demand.ingest_days);
        let cpu = self.tell(
            "ingest_cpu_s",
            hours_a * a + hours_v * v,
            "CPU s",
            format!(
                "{hours_a} h of sound x {} + {hours_v} h of picture x {}",
                s(a),
                s(v)
            ),
        );
        let cores = if days > 0.0 {
            cpu / (days * DAY * LOAD)
        } else {
            0.0
        };
        let formula = format!("{} CPU s / ({days} days x 86400 s x load {LOAD})", s(cpu));
        self.tell("ingest_cores", cores, "cores", formula)
    }

    /// Disk in GB, all copies.
    fn disk(&mut self, demand: &Demand, constants: &Constants) -> f64 {
        let media = [
            (demand.audio_hours, &constants.audio),
            (demand.video_hours, &constants.video),
        ];
        let [a, v] = media.map(|(_, medium)| medium.postings_per_hour());
        self.tell(
            "postings",
            demand.audio_hours * a + demand.video_hours * v,
            "postings",
            format!(
                "{} h x {} + {} h x {}",
                demand.audio_hours,
                s(a),
                demand.video_hours,
                s(v)
            ),
        );
        let [a, v] = media.map(|(_, medium)| medium.bytes_per_hour() / 1e6);
        let copies = f64::from(demand.replicas);
        self.tell(
            "disk_gb",
            (demand.audio_hours * a + demand.video_hours * v) * 1e6 * copies / GB,
            "GB",
            format!(
                "({} h x {} MB + {} h x {} MB) x {copies} copies",
                demand.audio_hours,
                s(a),
                demand.video_hours,
                s(v)
            ),
        )
    }

    /// Shards: of sound, of picture.
    fn shards(&mut self, demand: &Demand, constants: &Constants) -> [f64; 2] {
        let mut shards = |what, hours: f64, medium: &Medium| {
            let most = medium.most_hours(demand.found);
            let formula = format!(
                "{hours} h / {} h, in which {} of what a small library finds is found",
                s(most),
                demand.found
            );
            self.tell(what, (hours / most).ceil(), "shards", formula)
        };
        [
            shards("audio_shards", demand.audio_hours, &constants.audio),
            shards("video_shards", demand.video_hours, &constants.video),
        ]
    }

    /// Memory in GiB, all copies.
    fn memory(&mut self, demand: &Demand, constants: &Constants, [a, v]: [f64; 2]) -> f64 {
        let resident = |hours: f64, shards: f64, medium: &Medium| match shards > 0.0 {
            true => {
                let each = hours / shards;
                let largest = medium.sizes.last().map_or(1.0, |size| size.hours);
                // Beyond what was measured, as much more as there are more hours.
                medium.at(each, |size| size.resident) * (each / largest).max(1.0) / GIB
            }
            false => 0.0,
        };
        let of_a = resident(demand.audio_hours, a, &constants.audio);
        let of_v = resident(demand.video_hours, v, &constants.video);
        let copies = f64::from(demand.replicas);
        let formula = format!(
            "({a} shards x {} GiB + {v} x {} GiB) x {copies} copies",
            s(of_a),
            s(of_v)
        );
        self.tell("memory_gib", (a * of_a + v * of_v) * copies, "GiB", formula)
    }

    /// Cores to match uploads, at the busiest moment.
    fn matching(&mut self, demand: &Demand, constants: &Constants, [a, v]: [f64; 2]) -> f64 {
        let seconds = demand.seconds_per_upload;
        let lookups = |hours: f64, shards: f64, medium: &Medium| match shards > 0.0 {
            true => {
                let cpu = medium.at(hours / shards, |size| size.lookup_cpu_s);
                // Each window overlaps the next by half.
                let more = (seconds - medium.lookup_s).max(0.0) / (medium.lookup_s / 2.0);
                let windows = 1.0 + more.ceil();
                (
                    windows * shards * cpu,
                    format!("{windows} look-ups x {shards} shards x {}", s(cpu)),
                )
            }
            false => (0.0, "no look-ups".to_owned()),
        };
        let (look_a, told_a) = lookups(demand.audio_hours, a, &constants.audio);
        let (look_v, told_v) = lookups(demand.video_hours, v, &constants.video);
        let (own_a, own_v) = (
            constants.audio.extract_cpu_s_per_s,
            constants.video.extract_cpu_s_per_s,
        );
        let share = demand.with_picture;
        let upload = self.tell(
            "upload_cpu_s",
            seconds * own_a + look_a + share * (seconds * own_v + look_v),
            "CPU s",
            format!(
                "sound: {seconds} s x {} + {told_a}; {share} x picture: {seconds} s x {} + {told_v}",
                s(own_a),
                s(own_v)
            ),
        );
        let (uploads, peak) = (demand.uploads_per_day, demand.peak);
        let formula = format!(
            "{uploads} a day x {} CPU s x peak {peak} / (86400 s x load {LOAD})",
            s(upload)
        );
        self.tell(
            "matching_cores",
            uploads * upload * peak / (DAY * LOAD),
            "cores",
            formula,
        )
    }

    fn money(
        &mut self,
        prices: &Prices,
        demand: &Demand,
        [ingest, matching, memory, disk]: [f64; 4],
    ) {
        let unit = format!("{} a month", prices.currency);
        let months = demand.ingest_days / 30.0;
        let formula = format!(
            "{} cores x {} x {} months",
            s(ingest),
            prices.core_month,
            s(months)
        );
        self.tell(
            "ingest_money",
            ingest * prices.core_month * months,
            &prices.currency,
            formula,
        );
        let each = [
            (matching.ceil(), "cores", prices.core_month),
            (memory, "GiB", prices.memory_gib_month),
            (disk, "GB", prices.disk_gb_month),
        ];
        let formula = each
            .map(|(n, unit, price)| format!("{} {unit} x {price}", s(n)))
            .join(" + ");
        self.tell(
            "matching_money",
            each.iter().map(|(n, _, price)| n * price).sum(),
            &unit,
            formula,
        );
    }
}

/// A number with three digits that count.
fn s(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        n if n >= 100.0 => format!("{number:.0}"),
        n if n >= 10.0 => format!("{number:.1}"),
        n if n >= 1.0 => format!("{number:.2}"),
        n => {
            let digits = (2 - n.log10().floor() as i32).clamp(0, 12);
            format!("{number:.*}", digits as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium(cost: f64, found_at_100: f64) -> Medium {
        let size = |hours: f64, found| Size {
            hours,
            postings: hours * 1e6,
            bytes: hours * 1e7,
            resident: GIB,
            lookup_cpu_s: 0.1,
            found,
        };
        Medium {
            ingest_cpu_s_per_hour: cost,
            extract_cpu_s_per_s: cost / 3600.0,
            lookup_s: 15.0,
            sizes: vec![size(1.0, 1.0), size(100.0, found_at_100)],
        }
    }

    fn constants() -> Constants {
        Constants {
            date: String::new(),
            machine: String::new(),
            command: String::new(),
            audio: medium(36.0, 1.0),
            video: medium(360.0, 0.8),
        }
    }

    fn demand() -> Demand {
        Demand {
            audio_hours: 1000.0,
            video_hours: 0.0,
            uploads_per_day: 86_400.0,
            seconds_per_upload: 30.0,
            with_picture: 0.0,
            ingest_days: 10.0,
            peak: 1.0,
            replicas: 2,
            found: 0.9,
        }
    }

    #[test]
    fn a_plan_follows_from_its_formulas() {
        let plan = Plan::new(&demand(), &constants(), None);
        let check = |what: &str, want: f64| {
            let found = plan.amount(what).unwrap_or(f64::NAN);
            assert!(
                (found - want).abs() < 1e-9 * want.max(1.0),
                "{what}: {found}"
            );
        };
        check("ingest_cpu_s", 36_000.0);
        check("ingest_cores", 36_000.0 / (864_000.0 * 0.7));
        check("disk_gb", 20.0);
        check("audio_shards", 10.0);
        check("video_shards", 0.0);
        check("memory_gib", 20.0);
        check("upload_cpu_s", 0.3 + 3.0 * 10.0 * 0.1);
        check("matching_cores", 3.3 / 0.7);
        assert_eq!(plan.amount("matching_money"), None);
    }

    #[test]
    fn prices_are_amounts_of_money() {
        let check = |currency: &str, core: &str, good: bool| {
            let text = format!(
                "currency = \"{currency}\"\ncore_month = {core}\nmemory_gib_month = 2.0\ndisk_gb_month = 0.1"
            );
            assert_eq!(Prices::parse(&text).is_ok(), good, "{text}");
        };
        check("EUR", "10.0", true);
        check("EUR", "0.0", true);
        for core in ["-1.0", "nan", "inf", "1e13"] {
            check("EUR", core, false);
        }
        check("E\\nUR", "10.0", false);
    }

    #[test]
    fn money_is_what_cores_memory_and_disk_cost() {
        let prices = Prices {
            currency: "EUR".to_owned(),
            core_month: 10.0,
            memory_gib_month: 2.0,
            disk_gb_month: 0.1,
        };
        let plan = Plan::new(&demand(), &constants(), Some(&prices));
        let money = plan.amount("matching_money").unwrap_or(f64::NAN);
        assert!(
            (money - (5.0 * 10.0 + 20.0 * 2.0 + 20.0 * 0.1)).abs() < 1e-9,
            "{money}"
        );
    }

    #[test]
    fn more_of_anything_needs_no_less() {
        let base = Plan::new(&demand(), &constants(), None);
        let more = |change: &dyn Fn(&mut Demand)| {
            let mut demand = demand();
            change(&mut demand);
            let plan = Plan::new(&demand, &constants(), None);
            for (before, after) in base.lines.iter().zip(&plan.lines) {
                assert!(after.amount >= before.amount, "{}", before.what);
            }
        };
        more(&|demand| demand.audio_hours *= 3.0);
        more(&|demand| demand.video_hours = 500.0);
        more(&|demand| demand.uploads_per_day *= 2.0);
        more(&|demand| demand.seconds_per_upload *= 2.0);
        more(&|demand| demand.replicas = 3);
        more(&|demand| demand.found = 0.95);
    }

    #[test]
    fn numbers_are_told_with_three_digits() {
        for (number, want) in [
            (0.0, "0"),
            (1234.5, "1234"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.012_345, "0.0123"),
        ] {
            assert_eq!(s(number), want);
        }
    }
}
