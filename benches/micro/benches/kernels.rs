//! Each hot loop as it is called, which takes the widest form that the processor has, and as it is
//! compiled for any processor.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use likeness_match::video::{dot, scan, slide};
use likeness_micro::{Numbers, bytes};
use likeness_video::kernels::{self, scalar};

/// Pixels in a row.
const WIDTH: usize = 1920;
/// Which of the two forms.
const FORMS: [Form; 2] = [Form::Dispatched, Form::Scalar];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Dispatched,
    Scalar,
}

impl Form {
    fn choose<F>(self, dispatched: F, scalar: F) -> F {
        match self {
            Form::Dispatched => dispatched,
            Form::Scalar => scalar,
        }
    }
}

fn main() {
    divan::main();
}

#[divan::bench(args = FORMS)]
fn add_row(bencher: Bencher<'_, '_>, form: Form) {
    let kernel: fn(&mut [u16], &[u8]) = form.choose(kernels::add_row, scalar::add_row);
    let (row, mut sums) = (bytes(1, WIDTH), vec![0u16; WIDTH]);
    bencher.counter(BytesCount::new(WIDTH)).bench_local(|| {
        sums.fill(0);
        kernel(black_box(&mut sums), black_box(&row));
    });
}

#[divan::bench(args = FORMS)]
fn add_weighted(bencher: Bencher<'_, '_>, form: Form) {
    let kernel: fn(&mut [u32], &[u8], u16) =
        form.choose(kernels::add_weighted, scalar::add_weighted);
    let (row, mut sums) = (bytes(1, WIDTH), vec![0u32; WIDTH]);
    bencher.counter(BytesCount::new(WIDTH)).bench_local(|| {
        sums.fill(0);
        kernel(black_box(&mut sums), black_box(&row), black_box(900));
    });
}

#[divan::bench(args = FORMS)]
fn box_row(bencher: Bencher<'_, '_>, form: Form) {
    let kernel: fn(&[u16], &mut [u8]) = form.choose(kernels::box_row, scalar::box_row);
    let columns: Vec<u16> = bytes(1, WIDTH).iter().map(|v| u16::from(*v) * 5).collect();
    let mut out = vec![0u8; WIDTH];
    bencher
        .counter(BytesCount::new(WIDTH))
        .bench_local(|| kernel(black_box(&columns), black_box(&mut out)));
}

#[divan::bench(args = FORMS)]
fn gradient_products(bencher: Bencher<'_, '_>, form: Form) {
    let kernel: fn([&[u8]; 3], [&mut [f32]; 3]) =
        form.choose(kernels::gradient_products, scalar::gradient_products);
    let rows = [1, 2, 3].map(|seed| bytes(seed, WIDTH));
    let [mut xx, mut xy, mut yy] = [(); 3].map(|()| vec![0f32; WIDTH]);
    bencher.counter(BytesCount::new(WIDTH)).bench_local(|| {
        let rows = [&rows[0][..], &rows[1], &rows[2]];
        kernel(black_box(rows), black_box([&mut xx, &mut xy, &mut yy]));
    });
}

#[divan::bench(args = FORMS)]
fn sum_rows(bencher: Bencher<'_, '_>, form: Form) {
    let kernel: fn([&[f32]; 5], &mut [f32]) = form.choose(kernels::sum_rows, scalar::sum_rows);
    let rows = [1, 2, 3, 4, 5].map(floats);
    let mut out = vec![0f32; WIDTH];
    bencher.counter(ItemsCount::new(WIDTH)).bench_local(|| {
        let rows: [&[f32]; 5] = std::array::from_fn(|i| &rows[i][..]);
        kernel(black_box(rows), black_box(&mut out));
    });
}

#[divan::bench(args = FORMS)]
fn smaller_eigenvalues(bencher: Bencher<'_, '_>, form: Form) {
    let kernel: fn([&[f32]; 3], &mut [f32]) =
        form.choose(kernels::smaller_eigenvalues, scalar::smaller_eigenvalues);
    let sums = [1, 2, 3].map(floats);
    let mut out = vec![0f32; WIDTH];
    bencher.counter(ItemsCount::new(WIDTH)).bench_local(|| {
        let sums = [&sums[0][..], &sums[1], &sums[2]];
        kernel(black_box(sums), black_box(&mut out));
    });
}

/// A picture's worth of values of two films.
#[divan::bench(args = FORMS)]
fn dot_product(bencher: Bencher<'_, '_>, form: Form) {
    const VALUES: usize = 48 * 27;
    let kernel: fn(&[f32], &[f32]) -> f32 = form.choose(dot::dot, dot::scalar);
    let (a, b) = (floats(1), floats(2));
    bencher
        .counter(ItemsCount::new(VALUES))
        .bench_local(|| kernel(black_box(&a[..VALUES]), black_box(&b[..VALUES])));
}

/// 15 s of motion at every place of six minutes.
#[divan::bench(args = FORMS)]
fn best_place(bencher: Bencher<'_, '_>, form: Form) {
    const TEMPLATE: usize = 75;
    let kernel: fn(&[f32], &slide::Curve, f32) -> Option<slide::Fit> =
        form.choose(slide::best, slide::scalar);
    let (template, mut curve) = (floats(1), slide::Curve::default());
    curve.set(bytes(2, WIDTH).into_iter());
    bencher
        .counter(ItemsCount::new(WIDTH + 1 - TEMPLATE))
        .bench_local(|| kernel(black_box(&template[..TEMPLATE]), black_box(&curve), 75.0));
}

/// 4096 residuals against one, as in the look-up of one word.
#[divan::bench(args = FORMS)]
fn hamming_scan(bencher: Bencher<'_, '_>, form: Form) {
    let entries: Vec<scan::Entry> = Numbers(1)
        .take(4096)
        .enumerate()
        .map(|(point, z)| ((z >> 32) as u32, point as u32))
        .collect();
    let bencher = bencher.counter(ItemsCount::new(entries.len()));
    let mut near = Vec::with_capacity(entries.len());
    bencher.bench_local(|| {
        near.clear();
        let sink = |point, distance| near.push((point, distance));
        let entries = black_box(&entries);
        match form {
            Form::Dispatched => scan::near(entries, black_box(7), 9, sink),
            Form::Scalar => scan::near_scalar(entries, black_box(7), 9, sink),
        }
        black_box(near.len())
    });
}

fn floats(seed: u64) -> Vec<f32> {
    bytes(seed, WIDTH).into_iter().map(f32::from).collect()
}
